from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Page
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.store import codec
from tests.contract.store.samples import built, failed, lines, record

# surrogates included, which are no characters
TEXT = st.text(st.characters(exclude_categories=[]) | st.characters(categories=["Cs"]), max_size=20)
EVENTS = st.one_of(
    st.builds(
        LogLine,
        source=st.sampled_from(["uid-1", "uid-2", "\x00\ud800"]),
        index=st.integers(0, 30),
        text=TEXT,
        phase=st.none() | st.sampled_from(Phase),
    ),
    st.builds(Gap, TEXT),
    st.builds(
        PhaseChanged,
        st.sampled_from(Phase),
        TEXT,
        st.none() | st.sampled_from(Reason),
        st.none() | TEXT,
        st.none() | TEXT,
    ),
)


@given(st.lists(EVENTS, min_size=1), st.integers(0, 10**6), st.integers(1, 200))
def test_pages_come_back_as_they_were(events, first, limit):
    rows = codec.rows(Page(first, tuple(events), "mark"), limit)
    assert [event for row in rows for event in codec.events(row.data)] == events
    assert [row.first for row in rows[1:]] == [row.first + row.count for row in rows[:-1]]
    assert rows[0].first == first
    assert [row.mark for row in rows] == [None] * (len(rows) - 1) + ["mark"]
    for row in rows:
        sources = {e.source for e in codec.events(row.data) if isinstance(e, LogLine)}
        assert sources <= {row.source} or {codec.clean(s) for s in sources} == {row.source}
        assert row.count == 1 or row.size <= limit


def test_lines_that_follow_each_other_are_little_more_than_their_text():
    content = codec.contents(lines(7, 10))
    assert content == [{"source": "uid-1", "line": 7, "events": ["line 7", "line 8", "line 9"]}]


@pytest.mark.parametrize("kept", [record(), built(cached=True), failed(owners=("ann", "ben"))])
def test_records_come_back_as_they_were(kept):
    row = SimpleNamespace(**codec.columns(kept))
    assert codec.record(row, kept.owners) == kept
    assert codec.record(row, kept.owners).request.created == kept.request.created


def test_a_reason_of_a_newer_service_is_read_as_ours():
    columns = codec.columns(failed()) | {"reason": "eaten-by-a-bear"}
    assert codec.record(SimpleNamespace(**columns), ()).reason is Reason.INTERNAL


@given(TEXT)
def test_clean_text_is_what_databases_take(text):
    cleaned = codec.clean(text)
    assert "\0" not in cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert codec.clean(cleaned) == cleaned


def test_clean_text_shows_what_was_there():
    assert codec.clean("naïve 🚀 a\0b \ud83d") == "naïve 🚀 a\\x00b \\ud83d"
