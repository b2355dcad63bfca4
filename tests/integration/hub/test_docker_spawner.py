"""Real hubs with DockerSpawner on a real engine: three for all tests, as each start costs seconds.

``kept`` has ``allowed_images`` and keeps containers, ``strict`` has profiles, removes containers
and pulls from registries, ``anything`` lets users name images.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from .engine import Engine
from .hubs import Browser, HubProcess, until

TEXT = "image--unlisted-choice"
COMMIT = "image--unlisted-choice--commit"
MEANT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
FIELD = "profile-option-server--image--unlisted-choice"

#: JupyterHub's own stand-in for a server, which starts in a second, and ends when it is told to.
#: For users and servers that are named ``quick``, where it is not the server that matters.
QUICK = """
program = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); "
program += "from jupyterhub.tests.mocksu import main; main()"
def quick(spawner):
    if "quick" in (spawner.user.name, spawner.name):
        spawner.cmd = ["python3", "-c", program]
c.Spawner.pre_spawn_hook = quick
"""
#: An option that is not the image, and two ways for a server to end at once.
PROFILES = """
c.DockerSpawner.profile_list = [
    {
        "display_name": "Small",
        "kubespawner_override": {"environment": {"SIZE": "small"}},
        "profile_options": {
            "memory": {
                "display_name": "Memory",
                "choices": {
                    "less": {"kubespawner_override": {"mem_limit": "512M"}},
                    "more": {"kubespawner_override": {"mem_limit": "1G"}},
                },
            },
        },
    },
    {
        "display_name": "Missing",
        "kubespawner_override": {"cmd": ["sh", "-c", "jupyterhub-missing"]},
    },
    {
        "display_name": "Ends",
        "kubespawner_override": {"cmd": ["sh", "-c", "echo No module named x; exit 3"]},
    },
]
c.DockerSpawner.remove = True
c.DockerSpawner.name_template = "{prefix}-{username}-{imagename}"
"""

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def engine():
    engine = Engine(f"ib-test-{secrets.token_hex(4)}")
    try:
        yield engine
    finally:
        engine.clean()


@pytest.fixture(scope="module")
def start(tmp_path_factory, engine):
    """Start a hub for all tests of this module."""
    hubs = []

    def start_one(*arguments, **options):
        config = engine.config(*arguments, **options) + QUICK
        hubs.append(HubProcess(tmp_path_factory.mktemp("hub"), config))
        return hubs[-1].wait()

    yield start_one
    # the hubs would stop them one by one, with patience
    engine.clean_containers()
    with ThreadPoolExecutor() as pool:
        list(pool.map(HubProcess.stop, hubs))


@pytest.fixture(scope="module")
def kept(start, engine):
    bare, image = engine.image("base:1"), engine.image("singleuser:1")
    images = {"bare": ["imagebuilder/bare:1", bare.id], "": ["imagebuilder/hello:1", image.id]}
    allowed = {"Plain": image.tag, "Other": "other/x:1"}
    more = (
        f"c.DockerSpawner.allowed_images = {allowed!r}\n"
        "c.DockerSpawner.image = 'default/image:1'\n"
        "c.DockerSpawner.cmd = ['jupyterhub-singleuser']\n"
    )
    return start(images, more=more)


@pytest.fixture(scope="module")
def private(engine):
    """An image in the registry that wants a login: ``repository@sha256:…``."""
    user, password = os.environ["IB_REGISTRY_USERNAME"], os.environ["IB_REGISTRY_PASSWORD"]
    tag = f"{os.environ['IB_REGISTRY']}/{engine.prefix}/hello:1"
    engine.add_image(engine.image("singleuser:1").tag, tag)
    return engine.move_to_registry(tag, {"username": user, "password": password})


@pytest.fixture(scope="module")
def public(engine):
    """An image in the registry that wants none."""
    tag = f"{engine.registry}/{engine.prefix}/public:1"
    engine.add_image(engine.image("singleuser:1").tag, tag)
    return engine.move_to_registry(tag)


@pytest.fixture(scope="module")
def strict(start, engine, private, public, tmp_path_factory):
    user, password = os.environ["IB_REGISTRY_USERNAME"], os.environ["IB_REGISTRY_PASSWORD"]
    secret = base64.b64encode(f"{user}:{password}".encode()).decode()
    registry, folder = os.environ["IB_REGISTRY"], tmp_path_factory.mktemp("login")
    (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": secret}}}))
    prefix = f"{registry}/{engine.prefix}/"
    images = {
        "bare": ["imagebuilder/bare:1", engine.image("base:1").id],
        "gone": [f"{prefix}gone:1", "sha256:" + "0" * 64],
        "private": [f"{prefix}hello:1", private.partition("@")[2]],
        "public": public.split("@"),
        "": ["imagebuilder/hello:1", engine.image("singleuser:1").id],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", str(folder))
        return start(images, image_prefix=prefix, more=PROFILES)


def spawned(hub, name, options=None, server=""):
    """Start a server by REST, and wait until it answers through the proxy."""
    path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
    answer = hub.api("POST", path, json=options)
    assert answer.status_code in (201, 202), answer.text

    def ready():
        return hub.api("GET", f"users/{name}").json()["servers"][server]["ready"]

    until(ready, 60, hub.text)
    page = requests.get(f"{hub.url}/user/{name}/{server and server + '/'}api", timeout=30)
    assert page.ok, page.text
    return page.text


def stop(hub, name):
    assert hub.api("DELETE", f"users/{name}/server").status_code in (202, 204)
    until(lambda: hub.server(name) is None or hub.server(name)["stopped"], 30, hub.text)


def test_a_repository_in_the_form_becomes_a_server(kept, engine):
    image = engine.image("singleuser:1")
    browser = Browser(kept, "clicker")
    form = browser.form().text
    assert "Build from a repository" in form
    assert "unavailable" not in form
    answer = browser.submit(profile="server", **{FIELD: "https://host.test/org/repo@main"})
    assert answer.status_code == 302, answer.text
    until(lambda: kept.ready("clicker"), 60, kept.text)
    assert requests.get(f"{kept.url}/user/clicker/api", timeout=30).json()["version"]
    assert engine.container("clicker")["Image"] == image.id
    assert engine.environment("clicker")["JUPYTER_IMAGE_SPEC"] == f"imagebuilder/hello@{image.id}"
    assert kept.user_options("clicker")[COMMIT] == MEANT


def test_a_container_that_was_kept_never_runs_another_choice(kept, engine):
    """DockerSpawner keeps containers; a restart takes its own up again, with what it holds."""
    kept.add_users("quick")
    spawned(kept, "quick", {TEXT: "git://h/r@main"})
    first = engine.container("quick")
    stop(kept, "quick")
    assert engine.container("quick")["Id"] == first["Id"]
    spawned(kept, "quick")
    assert engine.container("quick")["Id"] == first["Id"]
    assert kept.user_options("quick") == {TEXT: "git://h/r@main", COMMIT: MEANT}
    stop(kept, "quick")
    spawned(kept, "quick", {"image": "Plain"})
    admins = engine.container("quick")
    assert admins["Id"] != first["Id"]
    assert admins["Config"]["Image"] == engine.image("singleuser:1").tag


def test_allowed_images_stay_what_they_were(kept, engine):
    form = Browser(kept, "reader").form().text
    assert '<option value="Plain"' in form
    assert "default/image" not in form
    assert "Build from a repository" in form
    kept.add_users("builder")
    image = engine.image("singleuser:1").tag
    for options in ({"image": image}, {"image": "evil/x:1"}, {TEXT: "evil/x:1"}, {"image": 5}):
        answer = kept.start("builder", options)
        assert answer.status_code == 400, (options, answer.text)
    assert engine.container("builder") is None


@pytest.mark.parametrize("name", ["kept", "strict"])
def test_an_image_without_a_server_is_a_sentence_and_no_fault_of_the_hub(request, engine, name):
    hub = request.getfixturevalue(name)
    hub.add_users("sad")
    for _ in range(6):
        answer = hub.start("sad", {TEXT: "git://h/bare"})
        assert answer.status_code == 400, answer.text
        assert "jupyterhub-singleuser) is missing" in answer.json()["message"]
        assert answer.json()["message"].endswith("(image-unusable)")
    assert hub.start("sad", {TEXT: "git://h/fails"}).json()["message"].startswith("A step failed.")
    found = [each for each in engine.containers() if "sad" in each]
    assert len(found) == (1 if name == "kept" else 0), found
    engine.clean_containers("sad")
    assert hub.process.poll() is None
    assert "Hub will exit if failure count" not in hub.text()


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ("missing", "(jupyterhub-singleuser) is missing"),
        ("ends", "(exit code 3); the last that it said: No"),
    ],
)
def test_a_server_that_ends_at_once_is_told_and_removed(strict, engine, profile, sentence):
    strict.add_users(profile)
    answer = strict.start(profile, {"profile": profile, TEXT: "git://h/r"})
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    until(lambda: not [each for each in engine.containers() if profile in each], 20, strict.text)


def test_the_log_is_on_the_progress_page(strict, engine):
    strict.add_users("quick")
    chosen = {"profile": "small", "memory": "more", TEXT: "git://h/r"}
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(strict.start, "quick", chosen)
        until(lambda: strict.server("quick"), 20, strict.text)
        with strict.api("GET", "users/quick/server/progress", stream=True) as answer:
            lines = [line for line in answer.iter_lines() if line.startswith(b"data: ")]
        assert started.result().status_code in (201, 202)
    messages = [json.loads(line.removeprefix(b"data: "))["message"] for line in lines]
    assert any("Step 1/2\nStep <2>/2\nthe last line" in message for message in messages)
    assert messages[-1].startswith("Server ready")
    image = engine.image("singleuser:1").id.replace(":", "-")
    container = engine.container(f"quick-{image}")
    assert container["HostConfig"]["Memory"] == 2**30
    assert "SIZE=small" in container["Config"]["Env"]


@pytest.mark.parametrize("kind", ["private", "public"])
def test_an_image_in_a_registry_is_pulled_by_its_digest(strict, engine, request, kind):
    name = request.getfixturevalue(kind)
    strict.add_users(kind)
    spawned(strict, kind, {TEXT: f"git://h/{kind}"})
    assert engine.client.inspect_image(name)["Config"]["Labels"]["test"] == engine.prefix
    container = engine.container(f"{kind}-{name.translate(str.maketrans('/:@', '---'))}")
    assert container["Config"]["Image"] == name


def test_an_image_that_cannot_be_pulled_is_a_sentence(strict):
    strict.add_users("puller")
    answer = strict.start("puller", {TEXT: "git://h/gone"})
    assert answer.json()["message"].endswith("(image-pull)"), answer.text


def test_no_name_leads_around_the_gate(start, engine):
    ours, other = f"imagebuilder/{engine.prefix}", f"{engine.prefix}-other"
    identity = engine.add_image(engine.image("singleuser:1").tag, f"{ours}:1", f"{other}:1")
    more = "c.DockerSpawner.allowed_images = '*'\nc.JupyterHub.allow_named_servers = True\n"
    hub = start({"": [f"{ours}:1", identity]}, more=more)
    thief = Browser(hub, "thief")
    hub.add_users("owner")
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
    for options in (
        {"image": f"x/../../images/{other}:1"},
        {TEXT: f"x/../{ours}:1"},
        {"profile": "none", "image": f"{other}:1"},
        {"image": "default", TEXT: f"{other}:1"},
        {"image": [f"{other}:1"]},
        {COMMIT: MEANT, "image": f"{ours}:1"},
        {"image_spec": identity, "image": identity},
    ):
        answer = hub.start("thief", options)
        assert answer.status_code == 400, (options, answer.text)
        answer = hub.api("POST", "users/thief/servers/second", json=options)
        assert answer.status_code == 400, (options, answer.text)
    for field in ("profile-option-server--image", FIELD):
        for name in (f"{other}:1", identity):
            page = thief.form(f"?profile=server&{field}={name}")
            assert page.status_code in (200, 400), page.text
    assert not [each for each in engine.containers() if "thief" in each]
    # what the user may: a name in the engine that is nobody's build; an image of ours by its build
    for name, options in (("", {TEXT: f"{ours}@{identity}"}), ("quick", {TEXT: "git://h/r"})):
        spawned(hub, "owner", options, name)
        container = engine.container(f"owner--{name}" if name else "owner")
        assert container["Image"] == identity
    # a name that is not there is its user's mistake, and not the hub's end
    for _ in range(6):
        answer = hub.start("thief", {"image": f"{engine.registry}/{engine.prefix}/none:1"})
        assert answer.status_code == 400, answer.text
        assert answer.json()["message"].endswith("(image-pull)"), answer.text
    assert hub.process.poll() is None
    assert "Hub will exit if failure count" not in hub.text()
