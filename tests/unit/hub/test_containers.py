from __future__ import annotations

import pytest
import requests
from docker.errors import ImageNotFound
from dockerspawner import DockerSpawner, SwarmSpawner
from tornado.web import HTTPError

from .docker_spawner import (
    ID,
    OTHER_ID,
    decide,
    spawner_on,
)
from .engine import refused
from .test_spawner import TEXT


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
    engine.broken["start"] = refused(400, MISSING)
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    with pytest.raises(HTTPError, match=r"jupyterhub-singleuser\) is missing.*image-unusable"):
        await spawner.start()


@pytest.mark.parametrize("explanation", [MISSING, "network x not found"])
async def test_the_admins_own_image_fails_as_ever(make, engine, explanation):
    engine.broken["start"] = refused(404, explanation)
    spawner = make(cmd=["x"])
    await decide(spawner)
    with pytest.raises(type(engine.broken["start"])):
        await spawner.start()


NO_ANSWER = requests.ConnectionError("No such file or directory: /var/run/docker.sock")
PULL = "http+docker://x/images/create"


@pytest.mark.parametrize(
    ("options", "call", "error", "sentence"),
    [
        (
            {TEXT: "git://h/r"},
            "start",
            refused(404, "network x not found"),
            r"hub's log\. \(engine",
        ),
        ({TEXT: "git://h/r"}, "start", refused(500, "x: no space left on device"), "disk-full"),
        ({TEXT: "git://h/r"}, "inspect_image", refused(500, "x"), "engine-unavailable"),
        ({TEXT: "git://h/r"}, "inspect_image", NO_ANSWER, "does not answer.*engine-unavailable"),
        ({TEXT: "git://h/r"}, "inspect_container", NO_ANSWER, "does not answer"),
        (
            {TEXT: "git://h/r"},
            "create_container",
            refused(404, "No such image: sha256:b", ImageNotFound),
            "start the server again.*image-unknown",
        ),
        (
            {TEXT: "named/x:1"},
            "pull",
            refused(404, "pull access denied", url=PULL),
            "named/x:1: look",
        ),
        ({"image": "named/x:1"}, "pull", refused(500, "manifest unknown", url=PULL), "image-pull"),
        (
            {"image": "named/x:1"},
            "start",
            refused(404, "network x not found"),
            "engine-unavailable",
        ),
        ({"image": "named/x:1"}, "start", refused(400, MISSING), "named/x:1 cannot run a server"),
        (
            {"image": "named/x:1"},
            "create_container",
            refused(404, "No such image: named/x:1", ImageNotFound),
            "image-pull",
        ),
    ],
)
async def test_what_a_user_chose_fails_with_a_sentence_that_no_hub_counts(
    make, engine, *, options, call, error, sentence
):
    """Else some clicks on an image that is not there would be the hub's end."""
    spawner = make(options, allowed_images="*")
    await decide(spawner)
    if call == "start":
        engine.add_image("sha256:" + "d" * 64, "named/x:1")
    engine.broken[call] = error
    with pytest.raises(HTTPError, match=sentence) as caught:
        await spawner.start()
    assert caught.value.status_code == 400
    assert "network x" not in str(caught.value)


@pytest.mark.parametrize("options", [{TEXT: "git://h/r"}, {"image": "named/x:1"}])
async def test_an_engine_that_is_not_there_is_a_sentence(service, options, tmp_path):
    """With the real client, which looks for its engine at its first call."""
    nowhere = {"base_url": f"unix://{tmp_path}/docker.sock"}
    spawner = spawner_on(None, service, options, client_kwargs=nowhere, allowed_images="*")

    async def begin():
        await decide(spawner)
        await spawner.start()

    with pytest.raises(HTTPError, match="container engine does not answer") as caught:
        await begin()
    assert caught.value.status_code == 400


async def test_a_look_that_fails_takes_no_server_away(make, engine, server):
    engine.port_of_server = server

    class Blind(DockerSpawner):
        async def get_ip_and_port(self):
            engine.broken["inspect_container"] = NO_ANSWER
            return "127.0.0.1", server

    spawner = make({TEXT: "git://h/r"}, base=Blind)
    await decide(spawner)
    assert await spawner.start() == ("127.0.0.1", server)


async def test_a_log_that_cannot_be_read_takes_no_sentence_away(make, engine):
    engine.ends_with = 3, b"never read"
    engine.broken["logs"] = refused(501, "configured logging driver does not support reading")
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    with pytest.raises(HTTPError, match=r"exit code 3\); the last that it said: nothing"):
        await spawner.start()


async def test_an_end_is_told_even_where_its_container_stays(make, engine, server):
    engine.port_of_server = server
    spawner = make({TEXT: "git://h/r"}, remove=True)
    await decide(spawner)
    await spawner.start()
    engine.stop(spawner.object_id)
    spawner._start_pending = False
    engine.broken["remove_container"] = refused(500, "device or resource busy")
    assert "ExitCode=0" in await spawner.poll()
    engine.broken.clear()
    assert "ExitCode=0" in await spawner.poll()
    assert engine.containers == {}


async def test_the_engine_still_removes_containers_that_are_not_ours(make, engine, server):
    engine.port_of_server = server
    spawner = make(remove=True, cmd=["x"])
    await decide(spawner)
    await spawner.start()
    assert engine.containers["jupyter-alice"]["HostConfig"]["auto_remove"] is True


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
