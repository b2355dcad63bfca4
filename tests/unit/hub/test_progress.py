from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.hub.progress import build_progress
from jupyterhub_imagebuilder.hub.streams import LINE_LENGTH, BuildStream
from jupyterhub_imagebuilder.hub.waiting import WaitView

from .fakes import lines


def stream_of(*events):
    stream = BuildStream()
    for event in events:
        stream.add(event)
    return stream


@pytest.fixture
def view():
    return WaitView()


async def collect(view, *steps):
    """All events, where each step changes something behind one of them."""
    steps = list(steps)
    events = []
    generator = build_progress(view, 0.001)
    async for event in generator:
        events.append(event)
        if steps:
            steps.pop(0)()
    return events


async def test_all_lines_since_the_last_event_come_in_one(view):
    view.stream = stream_of(*lines("one", "two"))

    def more():
        view.stream.add(LogLine("uid", 2, "three"))
        view.stream.add(PhaseChanged(Phase.PUSHING, "It is pushed."))
        view.closed.set()

    first, second = await collect(view, more)
    assert first["message"] == "one\ntwo"
    assert second["message"] == "three\nIt is pushed."
    assert second["progress"] > first["progress"]


async def test_html_is_escaped(view):
    view.stream = stream_of(LogLine("uid", 0, "<script>alert('x')</script>"))
    view.closed.set()
    (event,) = await collect(view)
    assert event["html_message"].startswith("<pre ")
    assert event["html_message"].endswith(
        ">&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;</pre>"
    )


async def test_the_builds_page_is_linked_once_and_escaped(view):
    view.stream, view.build_id = stream_of(*lines("one")), 'b"1'

    def more():
        view.stream.add(LogLine("uid", 1, "two"))

    events = []
    async for event in build_progress(view, 0.001, lambda build_id: f"/s&/builds/{build_id}"):
        events.append(event)
        (view.closed.set if len(events) > 1 else more)()
    first, second = events
    assert first["message"] == "one"
    assert first["html_message"].startswith('<p><a href="/s&amp;/builds/b&quot;1" target="_blank"')
    assert second["html_message"].startswith("<pre ")


async def test_an_event_is_capped_and_says_so(view):
    view.stream = stream_of(*lines(*map(str, range(5000))))
    view.closed.set()
    (event,) = await collect(view)
    texts = event["message"].split("\n")
    assert texts[0] == "… 4900 lines are left out here"
    assert texts[1:] == [str(number) for number in range(4900, 5000)]


async def test_a_long_line_is_cut(view):
    view.stream = stream_of(LogLine("uid", 0, "x" * 10_000))
    view.closed.set()
    (event,) = await collect(view)
    assert len(event["message"]) == LINE_LENGTH


async def test_after_a_broken_connection_nothing_comes_twice(view):
    view.stream = stream_of(*lines("one", "two"))

    def reconnect():
        view.stream = stream_of(*lines("one", "two", "three"), Gap("lines are missing"))
        view.closed.set()

    events = await collect(view, reconnect)
    assert [event["message"] for event in events] == ["one\ntwo", "three\nlines are missing"]


async def test_a_note_is_shown_while_there_is_no_log(view):
    view.note = "Waiting for the image builder"
    (event,) = await collect(view, view.closed.set)
    assert event["message"] == "Waiting for the image builder"


async def test_a_wait_that_is_over_says_nothing(view):
    view.closed.set()
    assert await collect(view) == []


async def test_every_page_sees_the_log_from_the_start(view):
    view.stream = stream_of(*lines("one"))
    view.closed.set()
    assert await collect(view) == await collect(view) != []
