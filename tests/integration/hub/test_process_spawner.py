"""A real hub whose servers are processes: the choice builds, and tells what it came to."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.conftest import find_chromium

from .hubs import Browser, HubProcess, until

TEXT = "image--unlisted-choice"
FIELD = "profile-option-server--image--unlisted-choice"
PINNED = "@sha256:" + "a" * 64

#: JupyterHub's own stand-in for a server tells its environment.
CONFIG = """
import sys
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.tests.mocksu"]
c.ImageBuilderSpawner.progress_interval = 0.2
setup_ui(c)
stand_in(c)
"""
PROFILES = """
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0.1}
c.SimpleLocalProcessSpawner.profile_list = [
    {
        "display_name": "Small",
        "kubespawner_override": {"environment": {"SIZE": "small"}, "node_selector": {"a": "b"}},
    },
    {"display_name": "Large", "kubespawner_override": {"environment": {"SIZE": "large"}}},
]
"""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start a hub for all tests of this module."""
    hubs = []

    def start_one(more=""):
        folder = tmp_path_factory.mktemp("hub")
        hubs.append(HubProcess(folder, CONFIG.format(home=str(folder / "homes")) + more))
        return hubs[-1].wait()

    yield start_one
    with ThreadPoolExecutor() as pool:
        list(pool.map(HubProcess.stop, hubs))


@pytest.fixture(scope="module")
def plain(start):
    return start()


@pytest.fixture(scope="module")
def profiles(start):
    """A hub with profiles, whose starts are answered before they are done."""
    return start(PROFILES)


def environment(hub, name):
    answer = requests.get(f"{hub.url}/user/{name}/env", timeout=30)
    assert answer.ok, answer.text
    return answer.json()


def spawn(hub, name, options=None):
    assert hub.start(name, options).status_code in (201, 202), hub.text()
    until(lambda: hub.ready(name), 30, hub.text)
    return environment(hub, name)


def test_a_repository_in_the_form_is_built_and_a_process_starts(plain):
    hub = plain
    answer = Browser(hub, "clicker").submit(profile="server", **{FIELD: "https://h.test/o/r@main"})
    assert answer.status_code == 302, answer.text
    until(lambda: hub.ready("clicker"), 30, hub.text)
    assert environment(hub, "clicker")["JUPYTER_IMAGE_SPEC"].endswith(PINNED)
    assert "unhandled user_options" not in hub.text()
    assert hub.user_options("clicker")[TEXT] == "https://h.test/o/r@main"


def test_options_by_rest_go_through_the_same_gate(plain):
    hub = plain
    hub.add_users("rest", "sad")
    assert "JUPYTER_IMAGE_SPEC" not in spawn(hub, "rest")
    assert hub.api("DELETE", "users/rest/server").status_code in (202, 204)
    until(lambda: hub.server("rest") is None or hub.server("rest")["stopped"])
    assert spawn(hub, "rest", {TEXT: "git://h/r"})["JUPYTER_IMAGE_SPEC"].endswith(PINNED)
    for options in ({TEXT: "evil/x:1"}, {TEXT: 5}, {"image": "evil/x:1"}):
        assert hub.start("sad", options).status_code == 400, options
    for number in range(6):
        answer = hub.start("sad", {TEXT: f"git://h/fails-{number}"})
        assert answer.json()["message"] == "A step failed. (build-failed)"
    assert hub.process.poll() is None
    assert "Hub will exit if failure count" not in hub.text()


def test_the_admins_profiles_apply(profiles):
    hub = profiles
    form = Browser(hub, "reader").form().text
    assert form.count("Build from a repository") == 2
    hub.add_users("large", "small")
    assert spawn(hub, "large", {"profile": "large"})["SIZE"] == "large"
    assert spawn(hub, "small", {TEXT: "git://h/r"})["SIZE"] == "small"
    assert "A profile sets node_selector, which SimpleLocalProcessSpawner does not" in hub.text()


def test_the_log_and_the_image_are_on_the_progress_page(profiles):
    hub = profiles
    hub.add_users("watcher")
    assert hub.start("watcher", {TEXT: "git://h/watched"}).status_code == 202
    with hub.api("GET", "users/watcher/server/progress", stream=True) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith(b"data: ")]
    messages = [json.loads(line.removeprefix(b"data: "))["message"] for line in lines]
    text = "\n".join(messages)
    assert "Step 1/2\nStep <2>/2\nthe last line" in text
    assert f"{PINNED}; this hub's servers are processes" in text


@pytest.mark.browser
def test_the_form_works_in_a_browser(profiles, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    hub = profiles
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.goto(f"{hub.url}/hub/login?next=%2Fbase%2Fhub%2Fspawn")
            page.fill("input[name=username]", "alice")
            page.fill("input[name=password]", "x")
            page.click("#login_submit")
            page.locator("label[for=profile-item-large] select").select_option(
                label="Build from a repository"
            )
            field = page.locator("[id='profile-option-large--image--unlisted-choice']")
            expect(field).to_be_visible()
            page.locator("#profile-item-large").check()
            field.fill("https://host.test/org/repo@main")
            shots = Path(os.environ.get("IMAGEBUILDER_TEST_SHOTS", tmp_path))
            page.screenshot(path=shots / "form.png", full_page=True)
            page.locator("#spawn_form input[type=submit], #spawn_form button[type=submit]").click()
            page.wait_for_url(re.compile(r"/user/alice/"), timeout=30_000)
        finally:
            browser.close()
    environment_of_alice = environment(hub, "alice")
    assert environment_of_alice["SIZE"] == "large"
    assert environment_of_alice["JUPYTER_IMAGE_SPEC"].endswith(PINNED)
