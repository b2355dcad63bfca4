from __future__ import annotations

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Page
from jupyterhub_imagebuilder.store.fold import Draft, Write, newest
from tests.contract.store.samples import NEW, OLD, built, lines, page, record


def test_pages_without_a_hole_become_one():
    draft = Draft(OLD, over=False)
    for first, mark in ((0, "a"), (2, None), (4, "c"), (9, "d")):
        draft.take(Write("build-1", OLD, page(first, first + 2, mark)))
    assert [run.page() for run in draft.runs] == [page(0, 6, "c"), page(9, 11, "d")]
    assert (draft.end, draft.mark) == (11, "d")


def test_many_pages_take_no_longer_than_their_events():
    draft = Draft(OLD, over=False)
    event = lines(0, 1)
    for number in range(100_000):
        draft.take(Write("build-1", OLD, Page(number, event)))
    assert len(draft.runs) == 1
    assert draft.end == 100_000


def test_a_takeover_forgets_pages_that_are_not_written_yet():
    draft = Draft(OLD, over=False, end=3, mark="there")
    draft.take(Write("build-1", OLD, page(3, 5)))
    draft.take(Write.save(record(author=NEW)))
    assert draft.dropped
    assert (draft.runs, draft.end, draft.mark) == ([], 0, None)


def test_of_states_in_memory_the_newest_stays_with_all_owners():
    state = newest(None, record(owners=("ann",)))
    state = newest(state, record(owners=("ben",), phase=Phase.BUILDING))
    state = newest(state, record(owners=("cid",), author="000"))
    assert state.phase is Phase.BUILDING
    assert {name for _, name in state.owners} == {"ann", "ben", "cid"}
    assert newest(newest(state, built()), record()).phase is Phase.BUILT
