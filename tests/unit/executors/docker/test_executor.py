from __future__ import annotations

import asyncio
import base64
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.ports import ClaimState, Ended
from jupyterhub_imagebuilder.errors import BuildFailed, ExecutorUnavailable, Reason
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.engine import EngineError
from jupyterhub_imagebuilder.executors.private import FETCHED_FOLDER, LOGIN_FOLDER
from jupyterhub_imagebuilder.providers.forge import CloneLogin
from tests.unit.executors.kubernetes.clock import settle
from tests.unit.executors.requests import make_request

from .conftest import IMAGE


def ended(said):
    assert isinstance(said[-1], Ended), said
    return said[-1].error


def messages(said):
    return [item.message for item in said if isinstance(item, PhaseChanged)]


async def claimed(world, request=None):
    claim = await world.executor.claim(request or make_request())
    await settle()
    return claim


async def launched(world):
    """A claim on what runs, or never will: its credentials are read in a thread."""
    claim = await world.executor.claim(make_request())
    await world.executor._launches[claim.uid].done.wait()
    return claim


async def test_credentials_are_in_a_file_before_the_start_and_nowhere_else(world, tmp_path):
    file = tmp_path / "config.json"
    file.write_bytes(b"the-secret")
    world.executor = world.new_executor(push_config_file=str(file))

    claim = await launched(world)

    made = world.engine.named(claim.request.name)
    assert made.files == {container.CREDENTIALS: b"the-secret"}
    assert made.starts == 1
    assert "the-secret" not in repr(made.body)
    assert await world.executor.read_secret(world.executor.push_secret, "") == b"the-secret"


async def test_a_missing_image_is_pulled_with_a_word(world):
    world.engine.there.clear()
    world.engine.gate.clear()
    world.engine.pull_news = [
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 5, "total": 10**8}},
    ]
    request = make_request()
    claim = await claimed(world, request)
    said = await world.follow(claim)

    again = await world.executor.claim(dataclasses.replace(request, id="another"))
    assert (claim.state, again.state) == (ClaimState.CREATED, ClaimState.RUNNING)
    assert again.uid == claim.uid
    assert [item.uid for item in await world.executor.found()] == [claim.uid]
    assert messages(said) == [f"Pulling the image that builds, {IMAGE}."]

    world.engine.gate.set()
    await settle()
    world.engine.finish(request.name)
    await settle()
    assert ended(said) is None
    assert world.engine.pulls == [IMAGE]


async def test_an_image_that_cannot_be_pulled_ends_the_build(world):
    world.engine.there.clear()
    world.engine.pull_error = EngineError("refused", 404, "manifest unknown")

    try:
        claim = await claimed(world)
        error = ended(await world.follow(claim))
    except BuildFailed as at_once:
        error = at_once

    assert error.reason is Reason.IMAGE_PULL
    assert "manifest unknown" in error.message


async def test_a_registry_that_is_away_is_asked_again_for_a_while(world):
    world.engine.there.clear()
    world.engine.pull_error = EngineError("refused", 500, "connection refused")
    claim = await claimed(world)
    said = await world.follow(claim)
    await world.clock.advance(30)
    assert not any(isinstance(item, Ended) for item in said)
    assert "connection refused" in messages(said)[-1]

    await world.clock.advance(40)

    assert ended(said).reason is Reason.IMAGE_PULL


async def test_a_build_that_is_removed_while_its_image_is_pulled_never_begins(world):
    world.engine.there.clear()
    world.engine.gate.clear()
    claim = await claimed(world)

    await world.executor.remove(claim)
    world.engine.gate.set()
    await settle()

    assert await world.executor.found() == []
    assert await world.engine.containers() == []


async def test_a_name_taken_behind_a_pull_by_another_process_is_shared(world):
    world.engine.there.clear()
    world.engine.gate.clear()
    request = make_request()
    claim = await claimed(world, request)
    said = await world.follow(claim)
    other = world.new_executor()
    world.engine.there.add(IMAGE)
    theirs = await other.claim(dataclasses.replace(request, id="theirs"))
    world.engine.gate.set()
    await settle()

    world.engine.finish(request.name)
    await settle()
    assert ended(said) is None
    assert theirs.uid != claim.uid
    await world.executor.remove(claim)
    assert [item.uid for item in await other.found()] == [theirs.uid]


@pytest.mark.parametrize(
    ("method", "words", "reason"),
    [
        ("start", "OCI runtime create failed: no space left on device", Reason.DISK_FULL),
        ("put", "no space left on device", Reason.DISK_FULL),
        ("start", "error mounting /x to /y", Reason.MOUNT_FAILED),
        ("start", "network not-there not found", Reason.EXECUTOR_LOST),
    ],
)
async def test_a_container_that_cannot_start_says_why(world, tmp_path, method, words, reason):
    file = tmp_path / "config.json"
    file.write_bytes(b"{}")
    world.executor = world.new_executor(push_config_file=str(file))
    world.engine.refusals[method] = EngineError("refused", 500, words)

    error = ended(await world.follow(await launched(world)))

    assert (error.reason, words in error.message) == (reason, True)


async def test_a_create_that_is_refused_fails_at_once(world):
    words = "invalid mount config: bind source path does not exist: /x"
    world.engine.refusals["create"] = EngineError("refused", 400, words)

    with pytest.raises(BuildFailed) as raised:
        await world.executor.claim(make_request())

    assert raised.value.reason is Reason.MOUNT_FAILED
    assert await world.executor.found() == []


async def test_an_engine_that_does_not_answer_is_no_failure_of_the_build(world):
    world.engine.away = True

    with pytest.raises(ExecutorUnavailable):
        await world.executor.claim(make_request())

    world.engine.away = False
    assert (await claimed(world)).state is ClaimState.CREATED


async def test_what_an_earlier_process_did_not_start_is_started_once(world):
    claim = await claimed(world)
    name = claim.request.name
    world.engine.named(name).state["Status"] = "created"
    world.engine.named(name).starts = 0
    world.executor = world.new_executor()
    (found,) = await world.executor.found()

    said = await world.follow(found)
    more = await world.follow(found)

    assert world.engine.named(name).starts == 1
    world.engine.finish(name)
    await settle()
    assert ended(said) is ended(more) is None


async def test_what_is_over_does_not_run_again(world):
    claim = await claimed(world)
    world.engine.finish(claim.request.name)
    world.executor = world.new_executor()
    (found,) = await world.executor.found()

    assert found.state is ClaimState.FINISHED
    assert ended(await world.follow(found)) is None
    assert world.engine.named(claim.request.name).starts == 1


async def test_a_server_whose_image_has_the_labels_of_a_build_is_none(world, caplog):
    request = make_request()
    claim = await claimed(world, request)
    build = world.engine.named(request.name)
    body = {"Image": IMAGE, "Labels": build.body["Labels"], "HostConfig": {"Mounts": []}}
    other = make_request(salt="other")
    await world.engine.create("jupyter-wash", body)
    await world.engine.create(other.name, body)
    await world.engine.start("jupyter-wash")
    world.engine.log("jupyter-wash", "forged")

    assert [found.request.name for found in await world.executor.found()] == [request.name]
    assert caplog.messages == []
    with pytest.raises(BuildFailed, match="has the name"):
        await world.executor.claim(other)
    world.engine.log(request.name, "real")
    world.engine.finish(request.name)
    world.executor = world.new_executor()
    said = await world.follow(claim)
    assert [item.text for item in said if isinstance(item, LogLine)] == ["real"]
    await world.executor.remove(claim)
    left = {item["Names"][0] for item in await world.engine.containers()}
    assert left == {"/jupyter-wash", f"/{other.name}"}


async def test_an_engine_that_comes_back_is_waited_for(world):
    claim = await claimed(world)
    said = await world.follow(claim)
    world.engine.away = True
    world.engine.break_streams()
    await world.clock.advance(20)
    assert not any(isinstance(item, Ended) for item in said)
    world.engine.away = False
    world.engine.finish(claim.request.name, code=137)

    await world.clock.advance(10)

    assert ended(said).reason is Reason.ENGINE_UNAVAILABLE


async def test_an_engine_that_stays_away_ends_the_build(world):
    claim = await claimed(world)
    said = await world.follow(claim)
    world.engine.away = True
    world.engine.break_streams()

    await world.clock.advance(75)

    assert ended(said).reason is Reason.ENGINE_UNAVAILABLE


async def test_a_container_that_vanishes_is_lost(world):
    claim = await claimed(world)
    said = await world.follow(claim)
    world.engine.vanish(claim.request.name)

    await world.clock.advance(15)

    assert ended(said).reason is Reason.EXECUTOR_LOST


async def test_a_container_that_hangs_is_given_up(world):
    world.executor = world.new_executor(deadline=100, silence=0)
    said = await world.follow(await claimed(world))

    await world.clock.advance(155)
    assert not any(isinstance(item, Ended) for item in said)
    await world.clock.advance(20)

    assert ended(said).reason is Reason.TIMEOUT


async def test_the_end_of_the_log_comes_before_the_verdict(world):
    claim = await claimed(world)
    said = await world.follow(claim)
    world.engine.log(claim.request.name, "one", "two")
    world.engine.finish(claim.request.name, code=1)
    await settle()

    assert [item.text for item in said if isinstance(item, LogLine)] == ["one", "two"]
    assert ended(said).reason is Reason.BUILD_FAILED


async def test_closing_leaves_builds_as_they_are(world):
    world.engine.there.clear()
    world.engine.gate.clear()
    await claimed(world)
    running = len(asyncio.all_tasks())

    await world.executor.close()

    assert len(asyncio.all_tasks()) < running


@pytest.mark.parametrize(
    ("registry", "there", "state"),
    [
        ("", True, ClaimState.FINISHED),
        ("", False, ClaimState.GONE),
        ("registry.example.org", False, ClaimState.FINISHED),
    ],
)
async def test_a_build_that_is_over_is_shared_while_its_image_can_be_there(
    world, registry, there, state
):
    request = make_request(registry=registry)
    claim = await claimed(world, request)
    world.engine.finish(request.name)
    if there:
        world.engine.there.add(str(request.image))

    again = await world.executor.claim(dataclasses.replace(request, id="another"))

    assert (again.uid, again.state) == (claim.uid, state)
    if state is ClaimState.GONE:
        assert await world.executor.found() == []
        assert (await claimed(world, request)).state is ClaimState.CREATED


async def test_the_login_of_a_private_repository_is_in_files_before_the_start(world):
    login = CloneLogin("https://git.example.org/team/secret.git", "oauth2", "the-token", "")
    world.executor.login_of = lambda _: login

    claim = await launched(world)

    made = world.engine.named(claim.request.name)
    assert list(made.files) == [f"{LOGIN_FOLDER}/gitconfig"]
    assert made.starts == 1
    assert "the-token" not in repr(made.body)
    coded = base64.b64encode(b"oauth2:the-token").decode()
    assert coded not in repr(made.body)
    # what fetches turns into what builds
    assert made.body["Entrypoint"].count("python3") == 2
    assert made.body["Cmd"][0] == f"--fetched={FETCHED_FOLDER}"


async def test_a_public_repository_is_not_fetched_before(world):
    claim = await launched(world)

    made = world.engine.named(claim.request.name)
    assert made.files == {}
    assert made.body["Entrypoint"].count("python3") == 1
