"""Logs of any kind, over streams that break in any way: each line once, or a gap."""

from __future__ import annotations

import asyncio

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from tests.fakes.kubernetes.faults import Cut, Dead, Refused
from tests.fakes.kubernetes.program import FAILS, GOOD, PUSH, PUSHED, PUSHING, Program, builds

from .scenario import scenario


def prints(*output):
    """A pod that prints this, and fails: so that the whole log has to be shown."""
    steps = [step for data in output for step in (0.1, data)]
    return lambda _: Program(steps=steps, code=1)


async def failed(world, viewer, within=120.0):
    await world.failed(viewer, Reason.BUILD_FAILED, within)
    viewer.check()
    return viewer.lines


@pytest.mark.parametrize("code", [400, 403, 404, 500, 502])
@scenario
async def test_a_log_that_is_refused_at_first(world, code):
    world.connection.next("pod_log", *[Refused(code)] * 3)
    viewer = await world.built(await world.watch())
    assert len(viewer.lines) > 20
    assert viewer.gaps == []


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("after", [0, 1, 31, 100, 333, 1000])
@scenario
async def test_a_stream_that_ends_anywhere(world, after, clean):
    world.connection.next("pod_log", *[Cut(after, clean=clean)] * 3)
    viewer = await world.built(await world.watch())
    assert len(viewer.lines) > 20 or viewer.gaps


@scenario
async def test_a_stream_that_ends_at_each_byte_of_a_character(world):
    world.cluster.program = prints(*["Grüße, 世界 🐳\n".encode()] * 40)
    world.connection.weather = lambda verb: Cut(world.cluster.chance.randint(1000, 2400))
    assert await failed(world, await world.watch(), 600) == ["Grüße, 世界 🐳"] * 40


@scenario
async def test_streams_that_give_byte_for_byte(world):
    world.connection.largest = 3
    world.connection.latency = 0.0001
    world.cluster.program = prints(*["Grüße, 世界 🐳\n".encode()] * 10)
    assert await failed(world, await world.watch()) == ["Grüße, 世界 🐳"] * 10


@scenario
async def test_a_stream_that_is_half_open(world):
    world.connection.next("pod_log", Dead(after=500))
    viewer = await world.built(await world.watch())
    assert len(viewer.lines) > 20
    assert viewer.gaps == []


@scenario
async def test_bytes_that_are_no_text(world):
    world.cluster.program = prints(b"\xff\xfe\n", b"a\x00b\n", b"\xf0\x9f\x90\n", b"end\n")
    assert await failed(world, await world.watch()) == [
        "\ufffd\ufffd",
        "a\x00b",
        "\ufffd",
        "end",
    ]


@pytest.mark.parametrize("json", ["17", "[1, 2]", "null", '"text"', '{"a": 1}', "{", "{}", ""])
@scenario
async def test_json_that_is_not_a_message(world, json):
    world.cluster.program = prints(f"{json}\n".encode(), b"end\n")
    assert await failed(world, await world.watch()) == [json, "end"]


@scenario
async def test_a_message_that_is_not_text(world):
    line = '{"message": 17, "phase": ["building"]}'
    world.cluster.program = prints(f"{line}\n".encode())
    assert await failed(world, await world.watch()) == [line]


@scenario
async def test_json_that_is_nested_too_deep(world):
    line = '{"message": ' + "[" * 100_000
    world.cluster.program = prints(f"{line}\n".encode())
    assert await failed(world, await world.watch()) == [line]


@scenario
async def test_carriage_returns(world):
    world.cluster.program = prints(b"1%\r50%\r100%\n", b"dos\r\n")
    assert await failed(world, await world.watch()) == ["1%", "50%", "100%", "dos"]


@scenario
async def test_a_last_line_without_an_end(world):
    world.cluster.program = prints(b"first\n", b"no end")
    assert await failed(world, await world.watch()) == ["first", "no end"]


@scenario
async def test_no_log_at_all(world):
    world.cluster.program = prints()
    assert await failed(world, await world.watch()) == []


@scenario
async def test_a_line_of_ten_megabytes(world):
    world.cluster.program = prints(b"x" * 10_000_000 + b"\n", b"end\n")
    viewer = await world.watch()
    await world.failed(viewer, Reason.BUILD_FAILED)
    lines = viewer.lines
    assert "".join(lines[:-1]) == "x" * 10_000_000
    assert lines[-1] == "end"
    world.viewers.remove(viewer)  # it came in pieces


@scenario
async def test_many_lines_and_a_slow_reader(world):
    count = 100_000
    data = b"".join(b"line %d of many\n" % number for number in range(count))
    world.cluster.program = prints(data)
    slow = await world.watch(pause=1.0)
    fast = await world.watch()
    assert len(await failed(world, fast)) == count
    # the slow one keeps nothing waiting, and is told what it had no time for, or all of it
    assert len(slow.lines) < 200
    slow._pause = 0.0
    await world.failed(slow, Reason.BUILD_FAILED)
    assert slow.gaps or len(slow.lines) == count


@scenario
async def test_the_node_moves_lines_away_while_nobody_reads(world):
    lines = [step for i in range(200) for step in (0.1, b"line %d\n" % i)]
    world.cluster.program = lambda _: Program(steps=lines, code=1)
    viewer = await world.watch()
    await world.until_running()
    log = world.cluster.log_of(world.name)
    world.connection.next("pod_log", *[Refused(500)] * 3)
    world.connection.cut_off()
    await asyncio.sleep(0.2)
    log.rotate()
    shown = await failed(world, viewer)
    assert len(viewer.gaps) == 1
    assert 150 < len(shown) < 200


@scenario
async def test_logs_that_may_not_be_read(world):
    world.cluster.logs_forbidden = True
    await world.built(await world.watch(0))
    world.cluster.program = lambda _: FAILS
    viewer = await world.watch(1)
    message = await world.failed(viewer, Reason.BUILD_FAILED)
    assert "No matching distribution" in message
    world.viewers.remove(viewer)  # it has the end alone


@scenario
async def test_a_log_that_can_never_be_read(world):
    world.connection.weather = lambda verb: Refused(500) if verb == "pod_log" else None
    viewer = await world.built(await world.watch(), within=200)
    assert viewer.lines == []
    assert len(viewer.gaps) == 1


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
@scenario
async def test_a_node_whose_clock_is_wrong(world, skew):
    world.cluster.skew = skew
    world.connection.next("pod_log", *[Cut(300)] * 3)
    viewer = await world.built(await world.watch())
    assert viewer.gaps == []


@pytest.mark.parametrize("change", [-3600.0, -2.0, 3600.0])
@scenario
async def test_a_node_whose_clock_is_set_in_mid_build(world, change):
    lines = [step for i in range(100) for step in (0.1, b"line %d\n" % i)]
    world.cluster.program = lambda _: Program(steps=lines, code=1)
    world.connection.next("pod_log", *[Cut(2000)] * 6)
    viewer = await world.watch()
    await world.until_running()
    world.cluster.skew = change
    assert len(await failed(world, viewer)) == 100
    assert viewer.gaps == []


@scenario
async def test_a_log_that_says_failed_and_ends_with_0(world):
    failing = b'{"message": "ERROR: it failed", "phase": "failed"}\n'
    world.cluster.program = lambda _: Program(steps=(failing, PUSH), code=0)
    viewer = await world.built(await world.watch())
    assert viewer.lines == ["ERROR: it failed"]


@scenario
async def test_the_push_is_announced_at_once(world):
    long = (PUSHING, PUSH, PUSHED, 50.0)
    world.cluster.program = lambda _: Program(steps=long)
    await world.built(await world.watch(), within=3)


@scenario
async def test_lines_that_look_like_a_push(world):
    fakes = [b"#7 0.5 pushing layers\n", b"#7 DONE 0.1s\n", b"#9 DONE 1s\n"]
    world.cluster.program = lambda _: builds(*fakes, 30.0)
    viewer = await world.watch()
    await asyncio.sleep(20)
    assert viewer.end is None
    await world.built(viewer)


@scenario
async def test_a_burst_right_before_the_end(world):
    data = b"".join(b"%d %s\n" % (i, b"y" * (i % 150)) for i in range(20_000))
    world.cluster.program = prints(data)
    world.connection.next("pod_log", Cut(700_000), Cut(200_000, clean=True), Cut(50_000))
    assert len(await failed(world, await world.watch())) == 20_000


@scenario
async def test_connections_break_all_the_time(world):
    world.cluster.program = lambda _: GOOD
    chance = world.cluster.chance

    def weather(verb):
        if verb != "pod_log":
            return None
        return Cut(chance.randint(0, 900), clean=chance.random() < 0.5)

    world.connection.weather = weather
    viewers = [await world.watch(repo) for repo in range(8)]
    for viewer in viewers:
        await world.ended(viewer, within=300)
        viewer.check()


@scenario
async def test_an_api_server_dies_and_has_no_roles_at_first(world):
    viewer = await world.watch()
    await world.until_running()
    world.cluster.away = ApiError("Kubernetes does not answer.")
    world.connection.cut_off()
    await asyncio.sleep(3)
    world.cluster.away = ApiError("Kubernetes refuses", 403, "pods is forbidden")
    await asyncio.sleep(1.5)
    world.cluster.away = None
    await world.built(viewer)
    assert len(viewer.lines) > 20
    assert viewer.gaps == []


@scenario
async def test_the_connection_to_a_log_is_reset(world):
    viewer = await world.watch()
    await world.until_running()
    for follower in world.connection.followers:
        follower.stop(ApiError("Kubernetes does not answer: reset"))
    await world.built(viewer)
    assert viewer.gaps == []


@scenario
async def test_the_whole_log_was_moved_away_while_nobody_read(world):
    world.cluster.program = lambda _: Program(scheduled=1.0, steps=GOOD.steps)
    viewer = await world.watch()
    await asyncio.sleep(0.5)
    world.kill()
    await asyncio.sleep(30)
    world.cluster.log_of(world.name).rotate()
    await world.start()
    await world.built(viewer)
    assert viewer.gaps
