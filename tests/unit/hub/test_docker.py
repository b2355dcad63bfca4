from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from dockerspawner import DockerSpawner, SwarmSpawner
from tornado.web import HTTPError
from traitlets.config import Config

from jupyterhub_imagebuilder.hub.mixing import mixed
from jupyterhub_imagebuilder.hub.shared import HubSide

from .engine import FakeEngine, refused
from .fakes import BUILT, COMMIT, DIGEST, PINNED, FakeService, replace
from .test_spawner import SAVED, TEXT, Session

ID = "sha256:" + "b" * 64
OTHER_ID = "sha256:" + "c" * 64
BY_ID = replace(BUILT, image="imagebuilder/hello:1", digest=ID)
PROFILES = [
    {
        "display_name": "Only",
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {"listed": {"kubespawner_override": {"image": "listed/image:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "kubespawner_override": {"image": "{value}"},
                },
            }
        },
    }
]


@pytest.fixture
def service():
    return FakeService(answers=[BY_ID])


@pytest.fixture
def engine():
    engine = FakeEngine()
    engine.add_image(ID, "imagebuilder/hello:1")
    engine.add_image(OTHER_ID, "default/image:1")
    return engine


@pytest.fixture
async def server():
    """A server that answers, where the containers' ports lead."""

    async def answer(reader, writer):
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        yield running.sockets[0].getsockname()[1]


@pytest.fixture
def make(service, engine, monkeypatch):
    def make_spawner(options=None, base=DockerSpawner, prefix="imagebuilder/", **config):
        side = HubSide(lambda base_url: None, lambda: "imagebuilder")
        side.client = service
        c = Config({"ImageBuilder": {"image_prefix": prefix}})
        c.DockerSpawner.image = "default/image:1"
        for name, value in config.items():
            c.DockerSpawner[name] = value
        cls = type("Spawner", mixed(base), {"hub_side": side, "_client": engine})
        user = SimpleNamespace(
            name="alice",
            admin=False,
            groups=[],
            url="/user/alice/",
            settings={"services": {"imagebuilder": object()}},
            db=Session(),
        )
        spawner = cls(
            config=c,
            user=user,
            hub=SimpleNamespace(base_url="/hub/", api_url="http://hub:8081/hub/api"),
            orm_spawner=SimpleNamespace(name="", user_options=options, server=None),
            user_options=options or {},
        )
        spawner._spawn_pending = True
        # of JupyterHub's environment only what DockerSpawner adds matters here
        base_env = "jupyterhub.spawner.Spawner.get_env"
        monkeypatch.setattr(base_env, lambda self: {})
        return spawner

    return make_spawner


async def decide(spawner):
    """Up to where DockerSpawner takes over: hook and gate."""
    spawner.clear_state()
    await spawner.run_pre_spawn_hook()
    await spawner.load_user_options()
    return spawner.image


async def refusal(spawner):
    with pytest.raises(HTTPError) as caught:
        await decide(spawner)
    assert caught.value.status_code == 400
    return str(caught.value)


# -- which image ---------------------------------------------------------------------------------


async def test_what_the_engine_built_is_named_by_its_id_alone(make, service):
    spawner = make({TEXT: "git://h/r@main"})
    assert await decide(spawner) == ID
    assert spawner.cmd == ["jupyterhub-singleuser"]
    assert spawner.user_options == {TEXT: "git://h/r@main", SAVED: COMMIT}
    assert spawner.user.db.commits == 1
    assert await decide(make({TEXT: "git://h/r@main", SAVED: COMMIT})) == ID
    assert [commit for _, _, commit in service.asked] == [None, COMMIT]


async def test_an_image_in_a_registry_keeps_its_name_and_the_admins_command_stays(make, service):
    service.answers = [BUILT]
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/", cmd=["start-it"])
    assert await decide(spawner) == PINNED
    assert spawner.cmd == ["start-it"]
    spawner.name_template = "{prefix}-{username}-{imagename}"
    assert spawner._object_name_default().endswith(f"hello-0a1b-{DIGEST.replace(':', '-')}")


async def test_the_admins_profiles_apply(make):
    assert await decide(make({}, profile_list=PROFILES)) == "listed/image:1"
    assert await decide(make({TEXT: "free/image:1"}, profile_list=PROFILES)) == "free/image:1"
    assert await decide(make({TEXT: "git://h/r"}, profile_list=PROFILES)) == ID
    form = await make(profile_list=lambda spawner: PROFILES).get_options_form()
    assert "Build from a repository" in form


async def test_without_a_choice_it_is_the_configured_image(make):
    spawner = make()
    form = await spawner.get_options_form()
    assert "Image of this profile" in form
    assert await decide(spawner) == "default/image:1"
    assert "no such choice" in await refusal(make({"image": "evil/image:1"}))
    assert "no repository" in await refusal(make({TEXT: "evil/image:1"}))


async def test_what_the_profile_chose_is_not_taken_for_an_images_name(make):
    spawner = make({"image": "listed"}, profile_list=PROFILES)
    await decide(spawner)
    assert await spawner.check_allowed("listed") == "listed/image:1"


# -- allowed_images ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allowed",
    [
        {"allowed_images": {"One": "one/image:1", "<b>": "two/image:1"}},
        {"image_whitelist": {"One": "one/image:1", "<b>": "two/image:1"}},
        {"allowed_images": lambda spawner: {"One": "one/image:1", "<b>": "two/image:1"}},
    ],
)
async def test_allowed_images_are_choices(make, allowed):
    form = await make(**allowed).get_options_form()
    assert ">One</option>" in form
    assert "&lt;b&gt;</option>" in form
    assert "Build from a repository" in form
    assert await decide(make({"image": "One"}, **allowed)) == "one/image:1"
    assert await decide(make({TEXT: "git://h/r"}, **allowed)) == ID
    # as DockerSpawner has it: nothing chosen, nothing checked
    assert await decide(make({}, **allowed)) == "default/image:1"
    for options in ({"image": "one/image:1"}, {"image": 5}, {TEXT: "one/image:1"}, {TEXT: ["a"]}):
        await refusal(make(options, **allowed))


async def test_the_configured_image_is_preselected(make):
    spawner = make(allowed_images=["one/image:1", "default/image:1"])
    form = await spawner.get_options_form()
    assert '<option value="default/image:1" selected>' in form
    assert '<option value="one/image:1" selected>' not in form


async def test_any_image_may_be_named_as_an_option_or_as_a_text(make, engine):
    for key in ("image", TEXT):
        for name in ("any/image:1", "default/image:1"):
            assert await decide(make({key: name}, allowed_images="*")) == name
    assert await decide(make({}, allowed_images="*")) == "default/image:1"
    assert await decide(make({"image": "default"}, allowed_images="*")) == "default/image:1"
    spawner = make({"image": "<script>"}, allowed_images="*")
    assert '"<script>"' not in await spawner.get_options_form()


OUR_NAMES = [
    "imagebuilder/hello:1",
    "docker.io/imagebuilder/hello",
    f"imagebuilder/hello@sha256:{'0' * 64}",
    "mine/hello:1",  # another tag of the same image
    ID,
    ID.removeprefix("sha256:")[:12],
    OTHER_ID,
]


@pytest.mark.parametrize("key", ["image", TEXT])
@pytest.mark.parametrize("name", OUR_NAMES)
@pytest.mark.parametrize("prefix", ["imagebuilder/", ""])
async def test_no_name_leads_to_an_image_of_ours(make, engine, key, name, prefix):
    engine.add_image(ID, "imagebuilder/hello:1", "mine/hello:1")
    sentence = await refusal(make({key: name}, allowed_images="*", prefix=prefix))
    assert "(image-unknown)" in sentence
    if key == TEXT:
        await refusal(make({key: name}, profile_list=PROFILES, prefix=prefix))


async def test_one_that_a_build_of_the_user_stands_behind_may_be_named(make, service):
    name = f"imagebuilder/hello@{ID}"
    service.known_images = {name}
    assert await decide(make({"image": name}, allowed_images="*")) == ID
    assert [image for image, _ in service.vouched] == [name]


async def test_an_admins_own_check_is_asked(make):
    class Careful(DockerSpawner):
        async def check_allowed(self, image):
            if image.startswith("bad/"):
                raise HTTPError(400, "That one is bad.")
            return f"{image}-checked"

    good = make({"image": "good/x"}, base=Careful, allowed_images="*")
    assert await decide(good) == "good/x-checked"
    for key in ("image", TEXT):
        sentence = await refusal(make({key: "bad/x"}, base=Careful, allowed_images="*"))
        assert "That one is bad." in sentence


# -- pulling -------------------------------------------------------------------------------------


async def test_the_engines_own_image_is_never_pulled(make, engine):
    spawner = make({TEXT: "git://h/r"}, pull_policy="always")
    await decide(spawner)
    await spawner.pull_image(spawner.image)
    assert engine.pulled == []


async def test_an_image_that_was_removed_behind_our_back_is_a_sentence(make, engine):
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    engine.images.clear()
    with pytest.raises(HTTPError, match="start the server again") as caught:
        await spawner.start()
    assert caught.value.status_code == 400
    assert engine.pulled == []
    assert engine.containers == {}


async def test_a_digest_is_pulled_where_the_engine_lacks_it(make, service, engine, server):
    service.answers = [BUILT]
    engine.port_of_server = server
    engine.in_registry = {PINNED}
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/")
    await decide(spawner)
    assert await spawner.start() == ("127.0.0.1", server)
    assert engine.pulled == [tuple(PINNED.split("@"))]
    assert engine.containers["jupyter-alice"]["Config"]["Image"] == PINNED


@pytest.mark.parametrize(
    ("policy", "pulls", "reason"),
    [("ifnotpresent", 1, "image-pull"), ("never", 0, "image-unknown")],
)
async def test_a_digest_that_cannot_be_pulled_is_a_sentence(
    make, service, engine, *, policy, pulls, reason
):
    service.answers = [BUILT]
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/", pull_policy=policy)
    await decide(spawner)
    with pytest.raises(HTTPError, match=reason):
        await spawner.start()
    assert len(engine.pulled) == pulls


# -- containers ----------------------------------------------------------------------------------


async def test_a_container_starts_and_is_told_its_images_name(make, engine, server):
    engine.port_of_server = server
    spawner = make({TEXT: "git://h/r"}, remove=True)
    await decide(spawner)
    assert await spawner.start() == ("127.0.0.1", server)
    made = engine.containers["jupyter-alice"]
    assert made["Config"]["Image"] == ID
    assert made["Config"]["Cmd"][0] == "jupyterhub-singleuser"
    assert made["Config"]["Env"]["JUPYTER_IMAGE_SPEC"] == f"imagebuilder/hello@{ID}"
    # else it could not be asked why it ended; it is removed when it is seen to have
    assert made["HostConfig"]["auto_remove"] is False
    assert spawner.remove is True
    assert await spawner.poll() is None
    engine.stop(made["Id"])
    # one that was made and is not started yet looks the same
    spawner._start_pending = True
    assert "ExitCode=0" in await spawner.poll()
    assert list(engine.containers) == ["jupyter-alice"]
    spawner._start_pending = False
    assert "ExitCode=0" in await spawner.poll()
    assert engine.containers == {}


async def test_one_that_is_kept_stays_when_it_ends(make, engine, server):
    engine.port_of_server = server
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    await spawner.start()
    engine.stop(spawner.object_id)
    assert "ExitCode=0" in await spawner.poll()
    assert list(engine.containers) == ["jupyter-alice"]


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (ID, {TEXT: "git://h/r"}, ID),
        ("default/image:1", {TEXT: "git://h/r"}, ID),
        (OTHER_ID, {TEXT: "git://h/r"}, ID),
        (ID, {}, "default/image:1"),
        ("imagebuilder/x:1", {}, "default/image:1"),
        # DockerSpawner's own business: it keeps it, and what is in it
        ("older/image:1", {}, "older/image:1"),
    ],
)
async def test_a_kept_container_never_runs_another_choice(
    make, engine, server, *, before, options, after, running
):
    engine.port_of_server = server
    engine.create_container(
        image=before, name="jupyter-alice", command=[], environment=[], host_config={}
    )
    engine.containers["jupyter-alice"]["State"]["Running"] = running
    spawner = make(options, cmd=["jupyterhub-singleuser"])
    await decide(spawner)
    await spawner.start()
    assert engine.containers["jupyter-alice"]["Config"]["Image"] == after


MISSING = 'OCI runtime create failed: exec: "jupyterhub-singleuser": executable file not found'


async def test_an_image_without_a_server_is_a_sentence(make, engine):
    engine.start_fails = refused(400, MISSING)
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    with pytest.raises(HTTPError, match=r"jupyterhub-singleuser\) is missing.*image-unusable"):
        await spawner.start()


@pytest.mark.parametrize("explanation", [MISSING, "network x not found"])
async def test_what_is_not_our_images_fault_stays_the_engines_error(make, engine, explanation):
    options = {} if explanation is MISSING else {TEXT: "git://h/r"}
    engine.start_fails = refused(404, explanation)
    spawner = make(options, cmd=["x"])
    await decide(spawner)
    with pytest.raises(type(engine.start_fails)):
        await spawner.start()


@pytest.mark.parametrize(
    ("code", "log", "sentence"),
    [
        (127, b"sh: 1: exec", "jupyterhub-singleuser\\) is missing"),
        (
            1,
            b"Traceback\nImportError: x\n",
            "exit code 1\\); the last that it said: ImportError: x",
        ),
        (137, b"", "exit code 137\\); the last that it said: nothing"),
    ],
)
async def test_a_server_that_ends_at_once_says_why(make, engine, code, log, sentence):
    engine.ends_with = code, log
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    with pytest.raises(HTTPError, match=sentence):
        await spawner.start()


async def test_a_server_that_is_slow_is_left_to_the_hub(make, engine, monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.hub.containers._INTERVAL", 0)
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    assert await spawner.start() == ("127.0.0.1", 1)


async def test_a_swarm_is_left_to_itself(make, engine):
    engine.inspect_service = None
    spawner = make({TEXT: "git://h/r"}, base=SwarmSpawner)
    assert await decide(spawner) == ID
    await spawner.pull_image(spawner.image)
    assert engine.pulled == []
    assert not spawner._is_container
