from __future__ import annotations

import asyncio
import random

import pytest

from jupyterhub_imagebuilder.builds.events import Gap
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.executors.logs import (
    ROTATED,
    UNREADABLE,
    LogReader,
    Position,
    Record,
    parse,
)
from tests.unit.executors.kubernetes.clock import ManualClock, settle

RESET = ApiError("connection reset")
FORBIDDEN = ApiError("refused", 403)


def line(number, text=None):
    text = f"line {number}" if text is None else text
    return f"2026-01-01T00:00:{number:02d}.000000000Z {text}\n".encode()


async def stream(*chunks):
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


class Kubelet:
    """Serves a list of streams, one per request; the last lines of what it holds for ``tail``."""

    def __init__(self, *streams, kept=()):
        self.streams = list(streams)
        self.kept = list(kept)
        self.opened = []
        self.over = asyncio.Event()

    def open(self, follow, tail):
        self.opened.append((follow, tail))
        if tail is not None:
            return stream(*self.kept[-tail:])
        found = self.streams[0]
        if len(self.streams) > 1:
            self.streams.pop(0)
        else:
            self.over.set()
        return stream(*found)

    async def read(self, clock=None):
        clock = clock or ManualClock()
        reader = LogReader(self.open, self.over, clock)
        found = []

        async def consume():
            found.extend([item async for item in reader.records()])

        reading = asyncio.create_task(consume())
        for _ in range(40):
            await clock.advance(5)
        assert reading.done()
        await reading
        return [item.message if isinstance(item, Gap) else item.text for item in found]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_chunks_of_any_size_are_lines(size):
    data = line(1, "Grüße \U0001f600") + line(2, "") + line(3, "a b")
    chunks = [data[i : i + size] for i in range(0, len(data), size)]

    found = [record.text async for record in parse(stream(*chunks))]

    assert found == ["Grüße \U0001f600", "", "a b"]


async def test_bytes_of_any_kind_are_text():
    found = [record.text async for record in parse(stream(line(1)[:-1] + b"\xff\xfe\n"))]

    assert found == ["line 1\ufffd\ufffd"]


async def test_a_very_long_line_is_one_line():
    text = "x" * 3_000_000
    data = line(1, text)
    chunks = [data[i : i + 65536] for i in range(0, len(data), 65536)]

    assert [record.text async for record in parse(stream(*chunks))] == [text]


async def test_the_kubelets_own_words_are_no_line():
    found = [r.text async for r in parse(stream(b"failed to resolve symlink\n", line(1)))]

    assert found == ["line 1"]


async def test_one_stream_and_its_last_record_are_enough():
    lines = [line(1), line(2)]
    kubelet = Kubelet(lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]
    assert kubelet.opened == [(True, None), (False, 1)]


async def test_a_burst_that_the_stream_lost_is_read_again():
    lines = [line(1), line(2), line(3)]
    kubelet = Kubelet(lines[:1], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2", "line 3"]


async def test_a_broken_stream_is_taken_up_where_it_broke():
    lines = [line(1), line(2), line(3)]
    kubelet = Kubelet([line(1), line(2)[:-5], RESET], [RESET], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2", "line 3"]


async def test_a_stream_that_ended_in_a_line_does_not_cut_it():
    lines = [line(1), line(2)]
    kubelet = Kubelet([line(1), line(2)[:-3]], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_last_line_without_its_end_is_a_line():
    lines = [line(1), line(2)[:-1]]
    kubelet = Kubelet(lines, lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_rotation_within_what_was_read_loses_nothing():
    kubelet = Kubelet(
        [line(1), line(2), line(3), RESET],
        [line(2), line(3), line(4)],
        kept=[line(4)],
    )

    assert await kubelet.read() == ["line 1", "line 2", "line 3", "line 4"]


async def test_rotation_beyond_it_is_told():
    kubelet = Kubelet([line(1), RESET], [line(5), line(6)], kept=[line(6)])

    assert await kubelet.read() == ["line 1", ROTATED, "line 5", "line 6"]


async def test_it_goes_on_after_a_rotation_and_another_break():
    kubelet = Kubelet(
        [line(1), RESET],
        [line(5), line(6), RESET],
        [line(5), line(6), line(7)],
        kept=[line(7)],
    )

    assert await kubelet.read() == ["line 1", ROTATED, "line 5", "line 6", "line 7"]


def heavy(number):
    """Of these, fifty are more than the half of a file."""
    return line(number, f"{number} {'x' * 100_000}")


def numbers(found):
    return [item if item == ROTATED else int(item.split()[0]) for item in found]


async def test_a_file_that_a_slow_stream_left_out_is_a_gap():
    newest = [line(58, "58"), line(59, "59")]
    kubelet = Kubelet([*map(heavy, range(45)), *newest], newest, kept=newest)

    assert numbers(await kubelet.read()) == [*range(45), ROTATED, 58, 59]


async def test_a_pause_in_a_long_log_is_none():
    lines = [*map(heavy, range(45)), line(58, "58"), line(59, "59")]
    kubelet = Kubelet(lines, kept=lines)

    assert numbers(await kubelet.read()) == [*range(45), 58, 59]
    # the pause cost one look at the log's last lines
    assert kubelet.opened == [(True, None), (False, 16), (False, 1)]


async def test_a_pause_in_a_short_log_costs_nothing():
    lines = [line(1), line(2), line(40), line(59)]
    kubelet = Kubelet(lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2", "line 40", "line 59"]
    assert kubelet.opened == [(True, None), (False, 1)]


async def test_a_file_that_a_stream_tells_again_is_told_once():
    lines = [line(i, str(i)) for i in range(40)]
    kubelet = Kubelet([*lines[:30], *lines[20:30], *lines[30:]], kept=lines[20:])

    assert numbers(await kubelet.read()) == [*range(40)]


async def test_a_clock_that_was_put_back_costs_one_look_and_no_line():
    lines = [line(i, str(i)) for i in (*range(30, 50), *range(20))]
    kubelet = Kubelet(lines, kept=lines)

    assert numbers(await kubelet.read()) == [*range(30, 50), *range(20)]


async def test_a_container_without_a_word_has_an_empty_log():
    kubelet = Kubelet([])

    assert await kubelet.read() == []


async def test_a_log_that_cannot_be_read_to_its_end_says_so():
    kubelet = Kubelet([line(1), RESET], *[[RESET]] * 8)

    found = await kubelet.read()

    assert found == ["line 1", UNREADABLE]


async def test_a_pod_that_is_gone_is_the_callers():
    kubelet = Kubelet([ApiError("no", 404)])
    reader = LogReader(kubelet.open, kubelet.over, ManualClock())

    with pytest.raises(ApiError) as refused:
        [item async for item in reader.records()]

    assert refused.value.code == 404


async def refused(kubelet, over, seconds):
    """How many seconds it takes until a refusal is the caller's, at most so many."""
    clock = ManualClock()
    reader = LogReader(kubelet.open, over, clock)
    reading = asyncio.create_task(anext(reader.records()))
    for second in range(seconds):
        await clock.advance(1)
        if reading.done():
            with pytest.raises(ApiError) as error:
                await reading
            assert error.value.code == 403
            return second + 1
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return None


@pytest.mark.parametrize(("ended", "least", "most"), [(False, 15, 20), (True, 3, 5)])
async def test_a_refusal_that_lasts_is_the_callers(ended, least, most):
    kubelet, over = Kubelet([FORBIDDEN]), asyncio.Event()
    if ended:
        over.set()

    seconds = await refused(kubelet, over, 60)

    assert seconds is not None
    assert least <= seconds <= most


async def test_a_refusal_that_does_not_last_is_a_break():
    lines = [line(1), line(2)]
    kubelet = Kubelet([FORBIDDEN], [FORBIDDEN], [line(1), RESET], [FORBIDDEN], lines, kept=lines)

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_log_that_was_read_is_never_refused_for_good():
    kubelet = Kubelet([line(1), RESET], *[[FORBIDDEN]] * 9)

    assert await kubelet.read() == ["line 1", UNREADABLE]


async def test_the_end_of_a_stream_is_not_the_end_of_the_log():
    clock = ManualClock()
    kubelet = Kubelet([line(1)], [line(1), line(2)], [line(1), line(2)], kept=[line(2)])
    reader = LogReader(kubelet.open, asyncio.Event(), clock)
    found = []

    async def consume():
        found.extend([item async for item in reader.records()])

    reading = asyncio.create_task(consume())
    await clock.advance(4)
    assert not reading.done()
    await clock.advance(4)
    reader._over.set()
    await settle()
    await clock.advance(10)

    assert reading.done()
    assert [record.text for record in found] == ["line 1", "line 2"]


class Node:
    """A container that writes while its log is read, and a node that breaks streams and rotates.

    :param plan: one stream each: how many lines are written before it, whether the file is moved
        away before and after that, and after how many bytes the stream breaks.
    """

    def __init__(self, lines, plan):
        self.lines = lines
        self.plan = list(plan)
        self.file = []
        self.written = 0
        self.lost = set()  # lines in files that are gone
        self.served = []
        self.over = asyncio.Event()

    def open(self, follow, tail):
        step = self.plan.pop(0) if self.plan else (len(self.lines), (False, False), None)
        count, (before, after), cut = step
        for moved in (before, after):
            if moved:
                self.lost.update(self.file)
                self.file = []
            new = self.lines[self.written : self.written + count]
            self.written += len(new)
            self.file += new
            count = 0
        if self.written == len(self.lines):
            self.over.set()
        kept = self.file if tail is None else self.file[-tail:]
        data = b"".join(kept)
        self.served.append(len(data) if cut is None else min(cut, len(data)))
        return self.stream(data, cut)

    async def stream(self, data, cut):
        if cut is not None and cut < len(data):
            yield data[:cut]
            raise RESET
        yield data

    async def read(self, position=None):
        clock = ManualClock()
        reader = LogReader(self.open, self.over, clock, position)
        found = []

        async def consume():
            found.extend([item async for item in reader.records()])

        reading = asyncio.create_task(consume())
        while not reading.done():
            await clock.advance(5)
        await reading
        return found


def nanoseconds(number, text):
    return f"2026-01-01T00:00:00.{number:09d}Z {text}\n".encode()


def told(found):
    return [
        ROTATED if isinstance(item, Gap) else f"{item.time} {item.text}\n".encode()
        for item in found
    ]


def check(lines, found, lost):
    """Every line once and in order; where lines are missing there is one gap, and no second."""
    position = 0
    gap = False
    for item in told(found):
        if item == ROTATED:
            assert not gap
            gap = True
            continue
        place = lines.index(item, position)
        assert gap or place == position
        assert set(lines[position:place]) <= lost
        position, gap = place + 1, False
    assert gap or position == len(lines)


@pytest.mark.parametrize("seed", range(60))
async def test_any_log_survives_any_breaks(seed):
    chance = random.Random(seed)
    # now and then several lines have one time
    times = sorted(chance.randrange(400) for _ in range(700))
    lines = [
        nanoseconds(time, f"{i} " + "x" * chance.choice([0, 5, 90])) for i, time in enumerate(times)
    ]
    plan = [
        (chance.randrange(60), (False, False), chance.choice([None, chance.randrange(9000)]))
        for _ in range(chance.randrange(40))
    ]

    assert told(await Node(lines, plan).read()) == lines


@pytest.mark.parametrize("seed", range(60))
async def test_no_rotation_is_silent_and_none_doubles(seed):
    chance = random.Random(seed)
    lines = [nanoseconds(i, f"{i} " + "x" * chance.choice([0, 5, 90])) for i in range(3000)]
    # what nobody ever knew of cannot be missed: the first line is read
    plan = [(1, (False, False), None)]
    plan += [
        (
            chance.randrange(300),
            (chance.random() < 0.1, chance.random() < 0.1),
            chance.choice([None, chance.randrange(9000)]),
        )
        for _ in range(chance.randrange(40))
    ]
    node = Node(lines, plan)

    check(lines, await node.read(), node.lost)


async def test_lines_that_are_all_the_same_are_counted():
    lines = [nanoseconds(1, "same")] * 1000
    plan = [(100, (False, False), 2000), (500, (False, False), 10000), (1, (False, False), None)]

    assert told(await Node(lines, plan).read()) == lines


async def test_times_that_run_backwards_lose_nothing():
    chance = random.Random(1)
    lines = [nanoseconds(i + chance.randrange(50), f"{i}") for i in range(2000)]
    plan = [(200, (False, False), chance.randrange(1000, 9000)) for _ in range(9)]

    assert told(await Node(lines, plan).read()) == lines


async def test_a_break_costs_the_end_of_the_log_and_not_all_of_it():
    lines = [nanoseconds(i, "x" * 100) for i in range(20_000)]
    size = len(lines[0])
    breaks = [(10, (False, False), size * 60)] * 9
    node = Node(lines, [(19_900, (False, False), size * 19_900), *breaks])

    assert told(await node.read()) == lines
    assert max(node.served[1:]) <= size * 64


async def test_what_was_missed_is_found_however_much_it_is():
    lines = [nanoseconds(i, "x") for i in range(20_000)]
    plan = [(1000, (False, False), len(lines[0]) * 900), (19_000, (False, False), None)]

    assert told(await Node(lines, plan).read()) == lines


async def test_streams_that_always_break_lead_to_the_end():
    lines = [nanoseconds(i, "x" * 60) for i in range(20_000)]
    size = len(lines[0])
    first = [(100, (False, False), size * 50), (19_900, (False, False), size * 100)]
    node = Node(lines, [*first, *[(0, (False, False), size * 2000)] * 60])

    assert told(await node.read()) == lines


async def test_a_reader_goes_on_where_another_was():
    lines = [nanoseconds(i // 3, f"{i}") for i in range(900)]
    position = Position()
    for line in lines[:601]:
        time, _, text = line.decode().strip().partition(" ")
        position = position.after(Record(time, text))

    assert told(await Node(lines, []).read(position)) == lines[601:]


async def test_a_log_that_was_moved_away_altogether_is_told():
    lines = [nanoseconds(i, f"{i}") for i in range(10)]
    node = Node(lines, [(10, (False, False), 300), *[(0, (False, True), None)] * 20])

    found = await node.read()

    assert [item.message for item in found if isinstance(item, Gap)] == [UNREADABLE]


async def test_an_answer_that_broke_off_does_not_cut_the_last_line():
    lines = [line(1), line(2)]
    kubelet = Kubelet([line(1)], [line(1), line(2)[:-3]], lines, kept=lines)
    kubelet.over.set()

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_long_last_line_without_its_end_is_one_line():
    lines = [line(1), line(2, "x" * 40_000)[:-1]]
    kubelet = Kubelet(lines, lines, kept=[line(3, "x" * 7_000)[:-1]])

    assert await kubelet.read() == ["line 1", "x" * 40_000]


async def test_a_line_that_is_too_long_comes_in_pieces(monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.executors.logs._LONGEST", 50)
    text = "äöü" * 100
    data = line(1, text) + line(2) + b"no time " * 20 + b"\n" + line(3)
    for size in (1, 7, 64, 5000):
        chunks = [data[i : i + size] for i in range(0, len(data), size)]

        found = [record async for record in parse(stream(*chunks))]

        assert "".join(record.text for record in found[:-2]) == text
        assert len({record.time for record in found[:-2]}) == 1
        assert [record.text for record in found[-2:]] == ["line 2", "line 3"]
        assert max(len(record.text.encode()) for record in found) <= 50


async def test_an_answer_that_ends_before_its_first_byte_is_not_an_empty_log():
    lines = [line(1), line(2)]
    kubelet = Kubelet([], [], lines, kept=[])
    kubelet.over.set()

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_log_that_is_not_there_yet_is_waited_for():
    lines = [line(1)]
    kubelet = Kubelet([ApiError("not found", 404)], lines, kept=lines)

    assert await kubelet.read() == ["line 1"]


class Silent:
    """Gives these bytes, and then nothing more until it is left."""

    def __init__(self, *chunks):
        self.chunks = chunks
        self.left = False

    async def stream(self):
        try:
            for chunk in self.chunks:
                yield chunk
            await asyncio.Event().wait()
        finally:
            self.left = True


class HalfOpen(Kubelet):
    """The first streams are half open; later ones are as they are."""

    def __init__(self, silent, *streams, kept=()):
        super().__init__(*streams, kept=kept)
        self.silent = list(silent)

    def open(self, follow, tail):
        if self.silent:
            self.opened.append((follow, tail))
            return self.silent.pop(0).stream()
        return super().open(follow, tail)


async def test_a_stream_that_hangs_while_the_container_runs_is_waited_for():
    clock, over = ManualClock(), asyncio.Event()
    silent = Silent(line(1))
    reader = LogReader(HalfOpen([silent], []).open, over, clock)
    found = []

    async def consume():
        found.extend([item async for item in reader.records()])

    reading = asyncio.create_task(consume())
    await clock.advance(200)

    assert not silent.left
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert silent.left


async def test_a_stream_that_hangs_at_the_containers_end_is_left_soon():
    clock, over = ManualClock(), asyncio.Event()
    lines = [line(1), line(2)]
    silent = Silent(line(1))
    kubelet = HalfOpen([silent], lines, kept=lines)
    reader = LogReader(kubelet.open, over, clock)
    found = []

    async def consume():
        found.extend([item.text async for item in reader.records()])

    reading = asyncio.create_task(consume())
    await clock.advance(60)
    over.set()
    await clock.advance(2)
    assert not silent.left
    await clock.advance(3)

    assert reading.done()
    assert found == ["line 1", "line 2"]
    assert silent.left
    assert not any(follow for follow, _ in kubelet.opened[1:])


async def test_answers_that_hang_at_the_containers_end_are_left_too():
    lines = [line(1), line(2)]
    kubelet = HalfOpen([Silent(), Silent(line(1))], lines, kept=lines)
    kubelet.over.set()

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_stream_that_is_slow_at_the_containers_end_is_read_to_its_end():
    clock, over = ManualClock(), asyncio.Event()
    lines = [line(number) for number in range(1, 9)]

    async def slowly():
        for chunk in lines:
            yield chunk
            await clock.sleep(2.5)

    opened = []

    def open_log(follow, tail):
        opened.append(follow)
        return slowly() if tail is None else stream(*lines[-tail:])

    reader = LogReader(open_log, over, clock)
    found = []

    async def consume():
        found.extend([item.text async for item in reader.records()])

    reading = asyncio.create_task(consume())
    await clock.advance(1)
    over.set()
    await clock.advance(60)

    assert reading.done()
    assert found == [f"line {number}" for number in range(1, 9)]
    assert opened == [True, False]


async def test_answers_that_break_off_in_one_line_again_and_again_do_not_cut_it():
    lines = [line(1), line(2)]
    cuts = [[line(1), line(2)[:-size]] for size in (3, 5, 2, 4)]
    kubelet = Kubelet([line(1)], *cuts, lines, kept=lines)
    kubelet.over.set()

    assert await kubelet.read() == ["line 1", "line 2"]


async def test_a_last_line_that_always_breaks_off_elsewhere_is_a_gap():
    cuts = [[line(1), line(2)[:-size]] for size in range(2, 30)]
    kubelet = Kubelet([line(1)], *cuts, kept=[line(1), line(2)])
    kubelet.over.set()

    assert await kubelet.read() == ["line 1", UNREADABLE]
