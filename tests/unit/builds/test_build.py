from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.build import Build
from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase, may_follow
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from tests.unit.builds.records import ADMIN, ALICE, BOB, request


async def phases(build):
    return [e.phase async for e in build.events() if isinstance(e, PhaseChanged)]


async def test_lines_move_the_phase_forward_and_never_back():
    build = Build(request())
    for index, phase in enumerate([Phase.FETCHING, Phase.BUILDING, Phase.FETCHING, Phase.PUSHING]):
        build.observe(LogLine("pod", index, "text", phase), 1000.0)
    build.complete("sha256:1", 1010.0)
    assert await phases(build) == ["waiting", "fetching", "building", "pushing", "built"]


async def test_a_waiting_message_is_told_once():
    build = Build(request())
    for _ in range(3):
        build.observe(PhaseChanged(Phase.WAITING, "no node has room"), 1000.0)
    build.fail(BuildFailed("gone", Reason.EXECUTOR_LOST), 1001.0)
    assert await phases(build) == ["waiting", "waiting", "failed"]
    assert build.reason is Reason.EXECUTOR_LOST


async def test_it_ends_once():
    build = Build(request())
    build.complete("sha256:1", 1010.0)
    build.fail(BuildFailed("too late"), 1011.0)
    build.observe(Gap("too late"), 1000.0)
    events = [e async for e in build.events()]
    assert [e.phase for e in events] == [Phase.WAITING, Phase.BUILT]
    assert (build.finished, build.reason) == (1010.0, None)


async def test_built_names_the_image_by_its_digest():
    build = Build(request())
    assert build.image.endswith(f":{request().image.tag}")
    build.complete("sha256:1", 1010.0)
    last = [e async for e in build.events()][-1]
    assert last.image == build.image == f"{request().image.name}@sha256:1"
    assert last.digest == "sha256:1"


async def test_a_cancelled_build_is_cancelled_and_not_failed():
    build = Build(request())
    build.fail(BuildFailed("alice stopped it", Reason.CANCELLED), 1001.0)
    assert build.phase is Phase.CANCELLED


def test_those_who_asked_see_it_and_admins_do():
    build = Build(request(owner=ALICE))
    assert build.visible_to(ALICE)
    assert build.visible_to(ADMIN)
    assert not build.visible_to(BOB)
    build.join(BOB)
    assert build.visible_to(BOB)


@pytest.mark.parametrize("terminal", [Phase.BUILT, Phase.FAILED, Phase.CANCELLED])
def test_terminal_phases_have_no_exit(terminal):
    assert all(not may_follow(terminal, phase) for phase in Phase)
    assert all(may_follow(phase, terminal) for phase in Phase if not phase.terminal)
