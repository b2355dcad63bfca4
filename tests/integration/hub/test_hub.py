"""The hub's side in a real JupyterHub with a real proxy; no cluster."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jupyterhub
import pytest
import requests

from .conftest import PROFILES
from .hubs import Browser, until

TEXT = "image--unlisted-choice"
DIGEST = "sha256:" + "a" * 64
FIELD = "profile-option-only--image--unlisted-choice"

#: Older versions show the form with the message, and with the status of a success.
FORM_ERROR = 400 if jupyterhub.version_info >= (5, 4) else 200

pytestmark = pytest.mark.timeout(180)


def image_of(hub, name):
    path = hub.tmp / f"image-{name}"
    return path.read_text() if path.exists() else None


def test_a_users_token_reaches_the_service_through_the_proxy(hub):
    hub.add_users("reach")
    scope = "access:services!service=imagebuilder"
    body = {"scopes": [scope], "expires_in": 60}
    answer = hub.api("POST", "users/reach/tokens", json=body)
    assert answer.status_code == 201, answer.text
    assert scope in answer.json()["scopes"]
    assert requests.get(f"{hub.url}/services/imagebuilder/health", timeout=10).json()["ok"] is True


def test_the_form_offers_both_and_the_home_page_renders(hub):
    browser = Browser(hub, "former")
    form = browser.form()
    assert form.status_code == 200
    assert "Build from a repository" in form.text
    assert "Custom image, or a repository to build" in form.text
    assert "SciPy" in form.text
    assert "unavailable" not in form.text
    home = browser.session.get(f"{hub.url}/hub/home", timeout=30)
    assert home.status_code == 200


def test_the_form_starts_a_server_from_a_repository(hub):
    browser = Browser(hub, "clicker")
    answer = browser.submit(profile="only", **{FIELD: "https://host.test/org/cached@main"})
    assert answer.status_code == 302, answer.text
    until(lambda: hub.ready("clicker"), explain=hub.text)
    image = image_of(hub, "clicker")
    assert image.startswith("registry.test/team/")
    assert image.endswith(f"@{DIGEST}")
    options = hub.user_options("clicker")
    assert options[TEXT] == "https://host.test/org/cached@main"
    assert options["image--unlisted-choice--commit"] == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_a_restart_uses_what_was_saved(hub):
    hub.add_users("again")
    assert hub.start("again", {"profile": "only", TEXT: "git://h/r"}).status_code in (201, 202)
    until(lambda: hub.ready("again"), explain=hub.text)
    first, image = hub.user_options("again"), image_of(hub, "again")
    assert hub.api("DELETE", "users/again/server").status_code in (202, 204)
    until(lambda: hub.server("again") is None or hub.server("again")["stopped"])
    (hub.tmp / "image-again").unlink()
    assert hub.api("POST", "users/again/server").status_code in (201, 202)
    until(lambda: hub.ready("again"), explain=hub.text)
    assert (hub.user_options("again"), image_of(hub, "again")) == (first, image)


def test_a_request_without_a_profile_goes_through_the_gate(hub):
    hub.add_users("rest", "other", "ours", "listed")
    assert hub.start("rest", {TEXT: "git://h/rest"}).status_code in (201, 202)
    until(lambda: hub.ready("rest"), explain=hub.text)
    assert image_of(hub, "rest").endswith(DIGEST)
    for options in ({TEXT: "evil"}, {TEXT: "registry.test/team/x:1"}, {TEXT: 5}, {TEXT: ["a"]}):
        answer = hub.start("other", options)
        assert answer.status_code == 400, (options, answer.text)
        assert image_of(hub, "other") is None
    assert "Must be of form" in hub.start("other", {TEXT: "evil"}).json()["message"]
    assert hub.start("ours", {TEXT: f"registry.test/team/x@{DIGEST}"}).status_code == 201
    assert image_of(hub, "ours") == f"registry.test/team/x@{DIGEST}"
    assert hub.start("listed", {"image": "scipy"}).status_code == 201
    assert image_of(hub, "listed") == "jupyter/scipy-notebook:2023"
    # what was stored of the refused requests does not break the form
    assert Browser(hub, "other").form().status_code == 200


def test_a_link_cannot_start_a_build(hub):
    browser = Browser(hub, "victim")
    query = f"?profile=only&{FIELD}=https%3A%2F%2Fevil.test%2Fx"
    answer = browser.form(query)
    assert answer.status_code == FORM_ERROR
    assert "A link cannot start a build" in answer.text
    # JupyterHub 6 knows a second spelling; before, it chooses nothing, and that is the default
    browser.form(query.replace("profile=", "opt-profile=").replace(FIELD, f"opt-{FIELD}"))
    assert "evil.test" not in str(hub.api("GET", "users/victim").json())
    assert image_of(hub, "victim") in (None, "jupyter/scipy-notebook:2023")


def test_the_log_is_on_the_progress_page(hub):
    hub.add_users("watcher")
    assert hub.start("watcher", {TEXT: "git://h/slow-watcher"}).status_code == 202
    with hub.api("GET", "users/watcher/server/progress", stream=True) as answer:
        for line in answer.iter_lines():
            if line.startswith(b"data: ") and b"Step <2>/2" in line:
                event = json.loads(line.removeprefix(b"data: "))
                break
    assert "Step 1/2\nStep <2>/2\nthe last line" in event["message"]
    assert "Step &lt;2&gt;/2" in event["html_message"]
    # stopping the start does not stop anything but looking
    assert hub.api("DELETE", "users/watcher/server").status_code in (202, 204)
    until(lambda: hub.server("watcher") is None, explain=hub.text)


def test_a_failure_is_one_sentence_with_its_reason(hub):
    hub.add_users("sad")
    answer = hub.start("sad", {TEXT: "git://h/fails"})
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert message == "A step failed. (build-failed)"
    answer = hub.start("sad", {TEXT: "git://h/missing"})
    assert answer.json()["message"] == "There is no repository at git://h/missing. (ref-not-found)"
    browser = Browser(hub, "sad")
    page = browser.submit(profile="only", **{FIELD: "git://h/missing"})
    assert page.status_code == FORM_ERROR
    assert "There is no repository at git://h/missing." in page.text
    assert "Build from a repository" in page.text


def test_a_service_that_is_killed_is_waited_for(hub):
    hub.add_users("patient")
    pid = service_pid(hub)
    assert hub.start("patient", {TEXT: "git://h/cut-off"}).status_code == 202
    os.kill(pid, signal.SIGKILL)
    until(lambda: "exited with status" in hub.text(), 40, hub.text)
    assert hub.server("patient")["pending"] == "spawn"
    until(lambda: shows(hub, "patient", b"Step 1/2"))
    assert hub.api("DELETE", "users/patient/server").status_code in (202, 204)


def shows(hub, name, text):
    with hub.api("GET", f"users/{name}/server/progress", stream=True) as answer:
        lines = zip(range(20), answer.iter_lines(), strict=False)
        return any(text in line for _, line in lines)


def service_pid(hub):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if b"tests.fakes.service" in command and f":{hub.service_port}".encode() in environment:
            return int(process.name)
    raise AssertionError("the service does not run")


def test_six_failing_builds_in_a_row_leave_the_hub_up(start_hub):
    hub = start_hub("setup_ui(c)\nstand_in(c)\n" + PROFILES)
    hub.add_users("one", "two")
    for number in range(6):
        assert hub.start("one", {TEXT: f"git://h/fails-{number}"}).status_code == 400
    for _ in range(6):
        assert hub.start("one", {TEXT: "not allowed"}).status_code == 400
    assert hub.start("two", {TEXT: "git://h/works"}).status_code in (201, 202)
    until(lambda: hub.ready("two"), explain=hub.text)
    assert hub.process.poll() is None
    assert "Aborting due to" not in hub.text()
    assert "Hub will exit if failure count" not in hub.text()


def test_a_hundred_starts_that_wait_leave_room(start_hub):
    hub = start_hub(
        "setup_ui(c)\nstand_in(c)\n" + PROFILES + "c.JupyterHub.tornado_settings = "
        "{'slow_spawn_timeout': 0.5}\nc.JupyterHub.concurrent_spawn_limit = 64\n"
    )
    names = [f"user{number}" for number in range(100)]
    hub.add_users("ordinary", *names)
    codes = {hub.start(name, {TEXT: f"git://h/slow-{name[-1]}"}).status_code for name in names}
    assert codes == {202, 429}
    until(lambda: pending(hub) == 16)
    assert hub.start("ordinary", {"image": "scipy"}).status_code == 201
    assert hub.process.poll() is None


def pending(hub):
    users = hub.api("GET", "users").json()
    return sum(
        server["pending"] == "spawn" for user in users for server in user["servers"].values()
    )


OPTIONS = """
c.ImageBuilder.service_name = "builder"
c.ImageBuilderSpawner.option_name = "image"
async def profiles(spawner):
    return [{"display_name": "From a function", "slug": "f"}]
c.KubeSpawner.profile_list = profiles
c.KubeSpawner.profile_form_template = "<pre>{{ profile_list|tojson }}</pre>"
c.JupyterHub.services.append({"name": "later", "api_token": "b" * 40})
c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", "list:services"]})
"""


@pytest.mark.parametrize(
    "config",
    [
        OPTIONS + "setup_ui(c)\n",
        "setup_ui(c)\n" + OPTIONS,
        "setup_ui(c)\n" + OPTIONS + "setup_ui(c)",
    ],
    ids=["before", "after", "twice"],
)
def test_options_come_before_or_behind_with_the_real_service(start_hub, config):
    hub = start_hub(config)
    health = requests.get(f"{hub.url}/services/builder/health", timeout=10)
    assert health.status_code in (200, 503), health.text
    assert "checks" in health.json()
    form = Browser(hub, "alice").form()
    assert form.status_code == 200
    assert "From a function" in form.text
    assert "Build from a repository" in form.text
    written = json.loads((hub.tmp / "state" / "config.json").read_text())
    assert written["ImageBuilder"]["image_prefix"] == "registry.test/team/"
    scope = "access:services!service=builder"
    token = hub.api("POST", "users/alice/tokens", json={"scopes": [scope]}).json()["token"]
    builds = f"{hub.url}/services/builder/api/builds"
    answer = requests.get(builds, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    # without a cluster it may still be looking for one, but it lets the user in
    assert answer.status_code in (200, 503), answer.text
    assert requests.get(builds, timeout=10).status_code == 401


def test_a_hub_that_lost_the_service_says_so(start_hub):
    hub = start_hub("setup_ui(c)\nc.JupyterHub.services = [c.JupyterHub.services[0]]\n" + PROFILES)
    form = Browser(hub, "alice").form()
    assert form.status_code == 200
    assert "Building images is unavailable: c.JupyterHub.services was assigned" in form.text
    assert "c.JupyterHub.services was assigned after setup_ui(c)" in hub.text()


def test_code_where_data_is_needed_is_named_and_the_hub_lives(start_hub):
    hub = start_hub(
        "setup_ui(c)\nstand_in(c)\nc.ImageBuilder.provider_classes = [len]\n" + PROFILES
    )
    form = Browser(hub, "alice").form()
    assert "Building images is unavailable: c.ImageBuilder.provider_classes is code" in form.text
    assert "builtins.len" in hub.text()
