"""The example configuration, on a real engine: login, form, build, server, home, culling."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess

import pytest
from docker.errors import NotFound

from tests.integration.hub.hubs import until
from tools.demo import repository
from tools.demo.processes import Processes
from tools.demo.state import State

from .example import REPOSITORY, ExampleHub, Machine, Visitor

FIELD = "profile-option-server--image--unlisted-choice"
CHOICE = "profile-option-server--image"

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def machine():
    found = Machine()
    yield found
    found.client.close()


@pytest.fixture
def name():
    """A user whose home nobody has used before."""
    return f"ada{secrets.token_hex(4)}"


@pytest.fixture
def start(tmp_path, machine, name):
    hubs = []

    def start_one(**options):
        hubs.append(ExampleHub(tmp_path, **options))
        return hubs[-1].wait()

    yield start_one
    for hub in hubs:
        hub.stop()
        with contextlib.suppress(NotFound):
            machine.clean(hub.prefix, [f"imagebuilder-home-{name}"])


@pytest.fixture
def example(tmp_path):
    """The demo's own repository on this machine's address in the cluster's network."""
    state = State(tmp_path / "state")
    repository.make(state.repository, f"{os.environ['IB_OPEN_REGISTRY']}/singleuser:1")
    processes = Processes(tmp_path / "processes.json")
    yield repository.serve(state, os.environ["IB_NODE_ADDRESS"], processes), state.repository
    for child in list(processes.children):
        processes.end(child, 3, lambda: False)


def commit(folder, name):
    (folder / name).write_text("new\n")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for words in (("add", "-A"), ("commit", "-qm", name)):
        subprocess.run(["git", *who, *words], cwd=folder, check=True)


def test_from_the_login_to_a_home_that_lasts(start, machine, example, name):
    hub, (url, repositories) = start(), example
    visitor = Visitor(hub, name)
    assert visitor.log_in("a wrong one").status_code == 403
    assert visitor.log_in().status_code == 302
    assert "Build from a repository" in visitor.form()

    visitor.start(profile="server", **{CHOICE: "unlisted-choice", FIELD: url})
    assert machine.run(hub.prefix, "id -u; pwd") == "1000\n/home/jovyan"
    assert machine.run(hub.prefix, "python3 -c 'import segno; print(segno.__name__)'") == "segno"
    assert machine.run(hub.prefix, "stat -c %u ~/example/welcome.ipynb") == "1000"
    assert visitor.landing().endswith(f"/user/{name}/lab/tree/example")

    machine.run(hub.prefix, "echo mine > ~/example/README.md && touch ~/notes")
    visitor.stop()
    assert machine.containers(hub.prefix) == []
    commit(repositories / "example", "later.txt")
    visitor.start(profile="server", **{CHOICE: "unlisted-choice", FIELD: url})
    files = "cat ~/example/README.md ~/example/later.txt; ls ~/notes"
    assert machine.run(hub.prefix, files) == "mine\nnew\n/home/jovyan/notes"

    # Ctrl-C: no container is left, the home is
    hub.process.send_signal(signal.SIGINT)
    assert hub.process.wait(30) == 0
    assert machine.containers(hub.prefix) == []
    assert machine.client.volumes.get(f"imagebuilder-home-{name}")


def test_a_ready_made_image_starts_as_well(start, machine, name):
    hub = start()
    visitor = Visitor(hub, name)
    visitor.log_in()
    visitor.start(profile="server")
    assert machine.run(hub.prefix, "ls ~; test -w ~ && echo writable") == "writable"
    assert "/lab" in visitor.landing()


def test_a_server_that_nobody_uses_is_stopped(start, machine, tmp_path, name):
    """The file's own culler, with seconds instead of an hour."""
    text = (REPOSITORY / "setup_ui_example.py").read_text()
    hasty = text.replace('"--timeout=3600"', '"--timeout=4", "--cull-every=1"')
    assert hasty != text
    (tmp_path / "hasty.py").write_text(hasty)
    hub = start(configuration=tmp_path / "hasty.py")
    visitor = Visitor(hub, name)
    visitor.log_in()
    # not start(): on a busy machine the server may be gone before anybody has seen it
    visitor.submit(profile="server")
    until(lambda: f"Culling server {name} (inactive" in hub.text(), 120, hub.text)
    until(lambda: not machine.containers(hub.prefix), 60, hub.text)
    assert hub.process.poll() is None
