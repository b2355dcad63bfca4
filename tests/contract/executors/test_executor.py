"""What every executor does, the fakes included."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.ports import Checkpoint, ClaimState, Ended
from jupyterhub_imagebuilder.errors import BuildFailed, Reason

from .harness import PHASES, WHY


async def observe(harness, claim, *, play=True):
    """Everything that a build says, to its end."""
    if play:
        await harness.play(claim)
    return [observation async for observation in harness.executor.follow(claim)]


def lines(said):
    return [item for item in said if isinstance(item, LogLine)]


async def test_a_build_goes_through(harness):
    claim = await harness.executor.claim(harness.request("hello"))

    said = await observe(harness, claim)

    assert claim.state is ClaimState.CREATED
    assert said[-1] == Ended(None)
    assert sum(isinstance(item, Ended) for item in said) == 1
    lines = [item for item in said if isinstance(item, LogLine)]
    assert {line.source for line in lines} == {claim.uid}
    assert [line.index for line in lines] == list(range(len(lines)))
    shown = list(dict.fromkeys(line.phase for line in lines if line.phase))
    # what stays in the engine is not pushed
    assert shown == (PHASES if harness.pushes else PHASES[:2])


async def test_a_failure_says_why_after_the_log(harness):
    claim = await harness.executor.claim(harness.request("broken"))

    said = await observe(harness, claim)

    assert isinstance(said[-1], Ended)
    error = said[-1].error
    assert isinstance(error, BuildFailed)
    assert error.reason is Reason.BUILD_FAILED
    assert WHY in error.message
    assert any(WHY in item.text for item in said if isinstance(item, LogLine))


async def test_a_second_request_joins_the_running_build(harness):
    first = harness.request("slow")
    claim = await harness.executor.claim(first)

    again = await harness.executor.claim(dataclasses.replace(first, id="another"))

    assert again.state is ClaimState.RUNNING
    assert again.uid == claim.uid
    assert again.request == first
    assert again.request.id == first.id
    assert (await observe(harness, again))[-1] == Ended(None)
    assert (await observe(harness, claim, play=False))[-1] == Ended(None)


async def test_a_finished_build_is_found_with_its_log(harness):
    first = harness.request("hello")
    claim = await harness.executor.claim(first)
    said = await observe(harness, claim)

    again = await harness.executor.claim(dataclasses.replace(first, id="another"))

    assert again.state is ClaimState.FINISHED
    replay = await observe(harness, again, play=False)
    assert [x for x in replay if isinstance(x, LogLine)] == [
        x for x in said if isinstance(x, LogLine)
    ]
    assert replay[-1] == Ended(None)


async def test_a_name_of_another_key_is_an_error(harness):
    first = harness.request("slow")
    await harness.executor.claim(first)

    with pytest.raises(BuildFailed) as refused:
        await harness.executor.claim(dataclasses.replace(first, key="f" * 64))

    assert refused.value.reason is Reason.EXECUTOR_LOST


async def test_only_the_very_build_is_removed(harness):
    claim = await harness.executor.claim(harness.request("slow"))

    await harness.executor.remove(dataclasses.replace(claim, uid="0" * 8))
    assert claim.uid in {found.uid for found in await harness.executor.found()}

    await harness.executor.remove(claim)
    await harness.executor.remove(claim)
    assert claim.uid not in {found.uid for found in await harness.executor.found()}


async def test_a_claim_waits_for_the_old_build_to_be_gone(harness):
    request = harness.request("slow")
    old = await harness.executor.claim(request)
    await harness.executor.remove(old)

    another = dataclasses.replace(request, id="another")
    new = await harness.executor.claim(another)
    if new.state is ClaimState.GONE:  # where deleting takes time
        assert new.uid == old.uid
        new = await harness.executor.claim(another)

    assert new.state is ClaimState.CREATED
    assert new.uid != old.uid


async def test_following_what_is_gone_ends(harness):
    claim = await harness.executor.claim(harness.request("slow"))
    await harness.executor.remove(claim)

    said = await observe(harness, claim, play=False)

    assert isinstance(said[-1], Ended)
    assert said[-1].error is not None
    assert said[-1].error.reason is Reason.EXECUTOR_LOST


async def test_to_stop_looking_stops_nothing(harness):
    claim = await harness.executor.claim(harness.request("slow"))
    looking = harness.executor.follow(claim)
    await harness.play(claim)
    await anext(looking)
    await looking.aclose()

    found = {item.uid: item for item in await harness.executor.found()}

    assert found[claim.uid].request == claim.request


async def test_a_mark_stands_behind_each_record(harness):
    claim = await harness.executor.claim(harness.request("hello"))

    said = await observe(harness, claim)

    marks = [place for place, item in enumerate(said) if isinstance(item, Checkpoint)]
    texts = [place for place, item in enumerate(said) if isinstance(item, LogLine)]
    assert len({said[place].mark for place in marks}) == len(marks) > 2
    assert max(texts) < max(marks)
    # one record may be several lines, but two marks never stand side by side
    assert not {place + 1 for place in marks} & set(marks)


async def test_from_any_mark_the_rest_is_told_once_more(harness):
    claim = await harness.executor.claim(harness.request("hello"))
    said = await observe(harness, claim)
    marks = [place for place, item in enumerate(said) if isinstance(item, Checkpoint)]

    for place in {marks[0], marks[len(marks) // 2], marks[-1]}:
        looking = harness.executor.follow(claim, said[place].mark)
        again = [observation async for observation in looking]

        assert lines(again) == lines(said[place:])
        assert again[-1] == said[-1] == Ended(None)


async def test_a_mark_of_another_build_is_none(harness):
    claim = await harness.executor.claim(harness.request("hello"))
    said = await observe(harness, claim)
    mark = next(item.mark for item in reversed(said) if isinstance(item, Checkpoint))
    assert claim.uid in mark

    for other in (mark.replace(claim.uid, "0" * 8), "", "nonsense"):
        looking = harness.executor.follow(claim, other)
        assert lines([item async for item in looking]) == lines(said)


async def test_who_comes_later_goes_on_in_mid_build(harness):
    claim = await harness.executor.claim(harness.request("slow"))
    await harness.play(claim)
    told, mark = [], None
    async with contextlib.aclosing(harness.executor.follow(claim)) as looking:
        async for item in looking:
            if isinstance(item, Checkpoint):
                mark = item.mark
                if len(told) > 1:
                    break
            elif isinstance(item, LogLine):
                told.append(item)

    rest = [item async for item in harness.executor.follow(claim, mark)]

    assert rest[-1] == Ended(None)
    whole = await observe(harness, claim, play=False)
    assert told + lines(rest) == lines(whole)


async def test_it_can_be_checked(harness):
    assert await harness.executor.check() is None
