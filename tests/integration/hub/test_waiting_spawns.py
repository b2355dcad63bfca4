"""What a hub feels while a hundred servers wait for images and the service is killed."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from .conftest import PROFILES
from .hubs import until
from .inspection import ProgressPage, Pulse
from .lasting import DIGEST, Builds, Registry

pytestmark = pytest.mark.timeout(300)

TEXT = "image--unlisted-choice"
WAITING, REPOSITORIES, SEATS = 100, 4, 16
STILL_BUILDING = re.compile(r"The build goes on: start the server again .*\(still-building\)")

CONFIG = """
c.ImageBuilder.executor_class = "tests.integration.hub.lasting.FolderExecutor"
c.ImageBuilder.provider_classes = ["tests.integration.service.stubs.StubProvider"]
c.ImageBuilder.image_prefix = "{registry}/team/"
c.ImageBuilder.linger = 0.1
c.DistributionRegistry.insecure = True
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 5}}
c.JupyterHub.concurrent_spawn_limit = 64
from tests.integration.hub.inspection import Inspect
c.JupyterHub.extra_handlers = [(r"/inspect", Inspect)]
"""


@pytest.fixture
def hub(start_hub):
    with Registry() as registry:
        yield start_hub("setup_ui(c)\n" + PROFILES + CONFIG.format(registry=registry.address))


def inspect(hub):
    return requests.get(f"{hub.url}/hub/inspect", timeout=30).json()


def service_pids(hub):
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if b"jupyterhub_imagebuilder" in command and f":{hub.service_port}".encode() in environment:
            pids.append(int(process.name))
    return pids


def kill_service(hub):
    (pid,) = service_pids(hub)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not answers(hub), explain=hub.text)


def answers(hub):
    try:
        url = f"http://127.0.0.1:{hub.service_port}/base/services/imagebuilder/versions"
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def pending(hub):
    users = hub.api("GET", "users").json()
    return sorted(
        user["name"]
        for user in users
        if any(server["pending"] == "spawn" for server in user["servers"].values())
    )


def ask(hub, name):
    """Start one of the servers; its answer, with a sentence where there is one."""
    number = int(name.removeprefix("user"))
    answer = hub.start(name, {TEXT: f"https://git.test/org/repo{number % REPOSITORIES}@main"})
    return answer.status_code, answer.json()["message"] if answer.content else ""


def last_word(hub, name):
    """How a start ended that is not pending any more."""
    page = ProgressPage(hub, name)
    page.close()
    return page.last


def test_a_hundred_starts_live_through_a_killed_service(hub, capsys):
    builds, pulse = Builds(hub), Pulse(hub)
    names = [f"user{number:02}" for number in range(WAITING)]
    hub.add_users(*names)
    until(lambda: answers(hub), explain=hub.text)
    with pulse.beating():
        before = inspect(hub)
        pulse.at("a hundred starts")
        with ThreadPoolExecutor(20) as pool:
            said = dict(zip(names, pool.map(lambda name: ask(hub, name), names), strict=True))
        until(lambda: len(pending(hub)) == SEATS, explain=hub.text)
        waiting = pending(hub)
        pages = [ProgressPage(hub, name) for name in waiting]
        check_turned_away(hub, {name: said[name] for name in names if name not in waiting})
        assert len(builds.running()) == REPOSITORIES

        builds.say("one", "two")
        until(lambda: all("two" in page.lines for page in pages), explain=hub.text)
        pulse.at("the service is killed")
        kill_service(hub)
        builds.say("three")
        begin = time.monotonic()
        until(lambda: answers(hub), 60, hub.text)
        away = time.monotonic() - begin
        pulse.at("it is back")
        builds.say("four")
        until(lambda: all("four" in page.lines for page in pages), 30, hub.text)
        assert pending(hub) == waiting
        while_waiting = inspect(hub)

        pulse.at("the servers start")
        builds.end()
        until(lambda: all(hub.ready(name) for name in waiting), 120, hub.text)
        for page in pages:
            page.close()
        check_started(hub, waiting, pages)
        # who was turned away finds the image
        late = next(name for name in names if name not in waiting)
        assert ask(hub, late)[0] in {201, 202}
        until(lambda: hub.ready(late), explain=hub.text)
        pulse.at("they stop")
        for name in [*waiting, late]:
            hub.api("DELETE", f"users/{name}/server")
        until(
            lambda: inspect(hub)["tasks"] == before["tasks"],
            explain=lambda: f"{before} {inspect(hub)}",
        )
        # connections to the proxy come and go; a wait that left one would make it sixteen for good
        until(
            lambda: inspect(hub)["descriptors"] <= before["descriptors"] + 5,
            explain=lambda: f"{before} {inspect(hub)}",
        )
    after = inspect(hub)
    with capsys.disabled():
        figures = "\n  ".join([f"the service was away for {away:.0f} s", *pulse.figures()])
        inside = {"before": before, "while waiting": while_waiting, "after": after}
        sys.stdout.write(f"\n  {figures}\n  the hub's inside: {inside}\n")
    asked_for = {int(name.removeprefix("user")) % REPOSITORIES for name in waiting}
    assert while_waiting["tasks"]["BuildStream.read"] == len(asked_for)
    # a start that goes well resets the count, so it is looked at before the first
    assert (while_waiting["failures"], after["failures"]) == (0, 0)
    assert hub.process.poll() is None
    assert "Hub will exit if failure count" not in hub.text()
    assert "Task exception was never retrieved" not in hub.text()


def check_turned_away(hub, said):
    """Everyone beyond the seats has the sentence, at once or on the progress page."""
    assert len(said) == WAITING - SEATS
    assert Counter(status for status, _ in said.values()).keys() <= {202, 429}
    for name, (status, message) in said.items():
        word = message if status == 429 else last_word(hub, name)["message"]
        assert STILL_BUILDING.search(word), (name, status, word)


def check_started(hub, waiting, pages):
    """Each server has its image; each page had each line once, in order."""
    for name, page in zip(waiting, pages, strict=True):
        assert (hub.tmp / f"image-{name}").read_text().endswith(f"@{DIGEST}")
        log = [line for line in page.lines if line in {"one", "two", "three", "four"}]
        assert log == ["one", "two", "three", "four"], page.lines
        twice = {line: n for line, n in Counter(page.lines).items() if n > 1}
        assert not twice, page.lines
