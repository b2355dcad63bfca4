"""A real hub with DockerSpawner on a real engine: one that has no registry, and one with it."""

from __future__ import annotations

import base64
import json
import os
import secrets

import pytest
import requests

from .engine import Engine
from .hubs import Browser, until

TEXT = "image--unlisted-choice"
COMMIT = "image--unlisted-choice--commit"
MEANT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
FIELD = "profile-option-server--image--unlisted-choice"

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def engine():
    engine = Engine(f"ib-test-{secrets.token_hex(4)}")
    try:
        yield engine
    finally:
        engine.clean()


@pytest.fixture
def start(start_hub, engine):
    """Start a hub whose builds come to images of the engine, by their ids."""

    def start_one(more="", **config):
        bare, image = engine.image("base:1"), engine.image("singleuser:1")
        images = {"bare": ["imagebuilder/bare:1", bare.id], "": ["imagebuilder/hello:1", image.id]}
        return start_hub(engine.config(images, more=more, **config))

    return start_one


@pytest.fixture
def spawned(engine):
    """Start a server by REST, and wait until it answers through the proxy."""

    def spawn(hub, name, options=None):
        answer = hub.start(name, options)
        assert answer.status_code in (201, 202), answer.text
        until(lambda: hub.ready(name), 60, hub.text)
        page = requests.get(f"{hub.url}/user/{name}/api", timeout=30)
        assert "version" in page.json(), page.text
        return engine.container(name)

    return spawn


def stop(hub, name):
    assert hub.api("DELETE", f"users/{name}/server").status_code in (202, 204)
    until(lambda: hub.server(name) is None or hub.server(name)["stopped"], 30, hub.text)


def test_a_repository_in_the_form_becomes_a_server(start, engine):
    hub, image = start(), engine.image("singleuser:1")
    browser = Browser(hub, "clicker")
    form = browser.form().text
    assert "Build from a repository" in form
    assert "unavailable" not in form
    answer = browser.submit(profile="server", **{FIELD: "https://host.test/org/repo@main"})
    assert answer.status_code == 302, answer.text
    until(lambda: hub.ready("clicker"), 60, hub.text)
    assert requests.get(f"{hub.url}/user/clicker/api", timeout=30).json()["version"]
    assert engine.container("clicker")["Image"] == image.id
    assert engine.environment("clicker")["JUPYTER_IMAGE_SPEC"] == f"imagebuilder/hello@{image.id}"
    assert hub.user_options("clicker")[COMMIT] == MEANT


def test_a_container_that_was_kept_never_runs_another_choice(start, engine, spawned):
    """DockerSpawner keeps containers; a restart takes its own up again, with what it holds."""
    hub = start(
        f"c.DockerSpawner.image = {engine.image('singleuser:1').tag!r}\n"
        "c.DockerSpawner.cmd = ['jupyterhub-singleuser']\n"
    )
    hub.add_users("keeper")
    first = spawned(hub, "keeper", {TEXT: "git://h/r@main"})
    stop(hub, "keeper")
    assert engine.container("keeper")["Id"] == first["Id"]
    assert hub.api("POST", "users/keeper/server").status_code in (201, 202)
    until(lambda: hub.ready("keeper"), 60, hub.text)
    assert engine.container("keeper")["Id"] == first["Id"]
    assert hub.user_options("keeper") == {TEXT: "git://h/r@main", COMMIT: MEANT}
    stop(hub, "keeper")
    admins = spawned(hub, "keeper", {"image": "default"})
    assert admins["Id"] != first["Id"]
    assert admins["Config"]["Image"] == engine.image("singleuser:1").tag


@pytest.mark.parametrize("remove", [False, True])
def test_an_image_without_a_server_is_a_sentence_and_no_fault_of_the_hub(start, engine, remove):
    hub = start(f"c.DockerSpawner.remove = {remove}\n")
    hub.add_users("sad")
    for _ in range(6):
        answer = hub.start("sad", {TEXT: "git://h/bare"})
        assert answer.status_code == 400, answer.text
        assert "jupyterhub-singleuser) is missing" in answer.json()["message"]
        assert answer.json()["message"].endswith("(image-unusable)")
    assert hub.start("sad", {TEXT: "git://h/fails"}).json()["message"].startswith("A step failed.")
    assert (engine.container("sad") is None) == remove
    assert hub.process.poll() is None
    assert "Hub will exit if failure count" not in hub.text()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["sh", "-c", "jupyterhub-missing"], "(jupyterhub-singleuser) is missing"),
        (
            ["sh", "-c", "echo No module named x; exit 3"],
            "(exit code 3); the last that it said: No",
        ),
    ],
)
def test_a_server_that_ends_at_once_is_told_and_removed(start, engine, command, sentence):
    hub = start(f"c.DockerSpawner.remove = True\nc.DockerSpawner.cmd = {command}\n")
    hub.add_users("ended")
    answer = hub.start("ended", {TEXT: "git://h/r"})
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    until(lambda: engine.container("ended") is None, 20, hub.text)


def test_the_log_is_on_the_progress_page(start):
    hub = start("c.JupyterHub.tornado_settings = {'slow_spawn_timeout': 0.1}\n")
    hub.add_users("watcher")
    assert hub.start("watcher", {TEXT: "git://h/r"}).status_code == 202
    with hub.api("GET", "users/watcher/server/progress", stream=True) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith(b"data: ")]
    messages = [json.loads(line.removeprefix(b"data: "))["message"] for line in lines]
    assert any("Step 1/2\nStep <2>/2\nthe last line" in message for message in messages)
    assert messages[-1].startswith("Server ready")


def test_no_name_leads_around_the_gate(start_hub, engine, spawned):
    ours, other = f"imagebuilder/{engine.prefix}", f"{engine.prefix}-other"
    identity = engine.add_image(engine.image("singleuser:1").tag, f"{ours}:1", f"{other}:1")
    more = "c.DockerSpawner.allowed_images = '*'\n"
    hub = start_hub(engine.config({"": [f"{ours}:1", identity]}, more=more))
    hub.add_users("thief", "owner")
    names = (
        f"{ours}:1",
        f"docker.io/{ours}:1",
        f"index.docker.io/{ours}:1",
        f"{ours}@sha256:{'0' * 64}",
        f"{other}:1",  # another tag of it
        identity,
        identity.removeprefix("sha256:"),
        identity.removeprefix("sha256:")[:12],
        engine.image("base:1").id,
    )
    for key in (TEXT, "image"):
        for name in names:
            answer = hub.start("thief", {key: name})
            assert answer.status_code == 400, (key, name, answer.text)
            assert answer.json()["message"].endswith("(image-unknown)"), answer.text
    assert engine.container("thief") is None
    container = spawned(hub, "owner", {TEXT: f"{ours}@{identity}"})
    assert container["Image"] == identity


def test_allowed_images_stay_what_they_were(start, engine, spawned):
    image = engine.image("singleuser:1")
    hub = start(
        f"c.DockerSpawner.allowed_images = {{'Plain': {image.tag!r}, 'Other': 'other/x:1'}}\n"
        f"c.DockerSpawner.image = 'default/image:1'\n"
        "c.DockerSpawner.cmd = ['jupyterhub-singleuser']\n"
    )
    form = Browser(hub, "reader").form().text
    assert '<option value="Plain"' in form
    assert "default/image" not in form
    assert "Build from a repository" in form
    hub.add_users("chooser", "builder")
    assert spawned(hub, "chooser", {"image": "Plain"})["Config"]["Image"] == image.tag
    for options in ({"image": image.tag}, {"image": "evil/x:1"}, {TEXT: "evil/x:1"}, {"image": 5}):
        answer = hub.start("builder", options)
        assert answer.status_code == 400, (options, answer.text)
    assert spawned(hub, "builder", {TEXT: "git://h/r"})["Image"] == image.id


@pytest.mark.parametrize("with_login", [False, True])
def test_an_image_in_a_registry_is_pulled_by_its_digest(
    start_hub, engine, tmp_path, monkeypatch, *, with_login
):
    registry, login = engine.registry, None
    if with_login:
        registry = os.environ["IB_REGISTRY"]
        user, password = os.environ["IB_REGISTRY_USERNAME"], os.environ["IB_REGISTRY_PASSWORD"]
        login = {"username": user, "password": password}
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": secret}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    prefix = f"{registry}/{engine.prefix}/"
    engine.add_image(engine.image("singleuser:1").tag, f"{prefix}hello:1")
    name = engine.move_to_registry(f"{prefix}hello:1", login)
    images = {
        "gone": [f"{prefix}gone:1", "sha256:" + "0" * 64],
        "": [f"{prefix}hello:1", name.partition("@")[2]],
    }
    template = 'c.DockerSpawner.name_template = "{prefix}-{username}-{imagename}"\n'
    hub = start_hub(engine.config(images, image_prefix=prefix, more=template))
    hub.add_users("puller")
    answer = hub.start("puller", {TEXT: "git://h/gone"})
    assert answer.json()["message"].endswith("(image-pull)"), answer.text
    answer = hub.start("puller", {TEXT: "git://h/r"})
    assert answer.status_code in (201, 202), answer.text
    until(lambda: hub.ready("puller"), 60, hub.text)
    labels = engine.client.inspect_image(name)["Config"]["Labels"]
    assert labels["test"] == engine.prefix
    stop(hub, "puller")
    engine.clean_containers()
    engine.client.remove_image(name)
