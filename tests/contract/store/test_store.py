"""What every store keeps to, the fake of the unit tests included."""

from __future__ import annotations

import asyncio
import dataclasses
import gc

import pytest

from jupyterhub_imagebuilder.builds.events import Gap, LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind, RepoSpec
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.record import Failures, Kept, Page
from jupyterhub_imagebuilder.errors import Reason
from tests.fakes.store import MemoryStore

from .samples import DIGEST, NEW, OLD, built, failed, lines, page, read, record


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore()
        return
    from .conftest import Place

    if request.param == "sqlite":
        place = Place(f"sqlite:///{tmp_path}/state/builds.sqlite", "", tmp_path)
    else:
        server = request.getfixturevalue("postgresql")
        name = request.getfixturevalue("new_database")()
        place = Place(server.url(name), server.password_file, tmp_path)
    yield await place.open()
    await place.close()


# -- States --------------------------------------------------------------------------------------


async def test_a_build_is_kept_as_it_was_saved(store):
    saved = failed(owners=("ann", "ben"), uid="uid-1", entered=((Phase.WAITING, 1.5),))
    await store.save(saved)
    assert await store.get("build-1") == Kept(saved)


async def test_a_build_that_nobody_saved_is_not_known(store):
    assert await store.get("build-1") is None
    assert await store.page("build-1", 0) is None
    assert await store.seek("build-1", "uid-1", 0) is None


async def test_the_newest_state_is_kept(store):
    await store.save(record())
    news = record(phase=Phase.BUILDING, message="Step 2 of 3", uid="uid-1")
    await store.save(news)
    assert (await store.get("build-1")).record == news


async def test_owners_are_added(store):
    await store.save(record(owners=("ann",)))
    await store.save(record(owners=("ben",)))
    kept = await store.get("build-1")
    assert kept.record.owners == {(OwnerKind.USER, "ann"), (OwnerKind.USER, "ben")}


async def test_the_first_end_stays(store):
    await store.save(built())
    await store.save(failed(owners=("ben",), author=NEW))
    kept = await store.get("build-1")
    assert kept.record.phase is Phase.BUILT
    assert kept.record.author == OLD
    assert kept.record.owners == {(OwnerKind.USER, "ann"), (OwnerKind.USER, "ben")}


async def test_what_is_over_does_not_go_on(store):
    await store.save(failed())
    await store.save(record(phase=Phase.PUSHING))
    assert (await store.get("build-1")).record == failed()


async def test_a_later_author_takes_a_build_over_and_drops_its_pages(store):
    await store.save(record())
    await store.append(record(), page(0, 3, "mark"))
    await store.save(record(author=NEW, message="again"))
    kept = await store.get("build-1")
    assert kept == Kept(record(author=NEW, message="again"), end=0, mark=None)
    assert await read(store) == {}


async def test_an_earlier_author_adds_owners_and_nothing_else(store):
    await store.save(record(author=NEW))
    await store.append(record(author=NEW), page(0, 3, "mark"))
    await store.save(record(phase=Phase.PUSHING, owners=("ben",)))
    kept = await store.get("build-1")
    owners = frozenset({(OwnerKind.USER, "ann"), (OwnerKind.USER, "ben")})
    assert kept == Kept(dataclasses.replace(record(author=NEW), owners=owners), 3, "mark")


async def test_a_failure_of_an_earlier_author_says_nothing_of_the_later_one(store):
    await store.save(record(author=NEW))
    await store.save(failed(author=OLD))
    assert (await store.get("build-1")).record == record(author=NEW)
    await store.save(failed(author=NEW))
    assert (await store.get("build-1")).record == failed(author=NEW)


async def test_an_earlier_author_may_end_a_build_whose_pages_stay(store):
    await store.save(record(author=NEW))
    await store.append(record(author=NEW), page(0, 3, "mark"))
    await store.save(built())
    kept = await store.get("build-1")
    assert kept == Kept(built(author=NEW), 3, "mark")
    assert list(await read(store)) == [0, 1, 2]


async def test_writes_take_effect_in_the_order_of_the_calls(store):
    store.save(record())
    store.append(record(), page(0, 2))
    store.save(record(author=NEW))
    store.append(record(author=NEW), page(0, 1))
    await store.append(record(), page(1, 5))
    assert (await store.get("build-1")).end == 1


async def test_nobody_has_to_wait_for_a_write(store, caplog):
    store.save(record())
    store.append(record(), page(0, 1))
    gc.collect()
    await store.save(built(2))
    assert (await store.get("build-1")).end == 1
    assert caplog.records == [] or all(r.levelname == "INFO" for r in caplog.records)


async def test_who_waits_for_a_write_and_gives_up_harms_nobody(store):
    waiting = asyncio.ensure_future(store.save(record()))
    waiting.cancel()
    await store.save(record(2))
    assert (await store.get("build-1")) is not None


# -- Pages ---------------------------------------------------------------------------------------


async def test_what_was_said_is_read_from_any_event_on(store):
    await store.save(record())
    for first in range(0, 40, 4):
        await store.append(record(), page(first, first + 4))
    said = dict(enumerate(lines(0, 40)))
    for number in (0, 1, 3, 4, 27, 39, 40, 10**12):
        assert await read(store, number=number) == {n: e for n, e in said.items() if n >= number}


async def test_a_page_that_ends_where_it_was_appended_has_its_mark(store):
    await store.save(record())
    await store.append(record(), page(0, 3, "first"))
    await store.append(record(), page(3, 5, "second"))
    kept = await store.get("build-1")
    assert (kept.end, kept.mark) == (5, "second")
    number, mark = 0, None
    while (part := await store.page("build-1", number)) is not None:
        number, mark = part.end, part.mark
    assert (number, mark) == (5, "second")


async def test_the_last_mark_stays_when_a_page_has_none(store):
    await store.save(record())
    await store.append(record(), page(0, 3, "first"))
    await store.append(record(), page(3, 5))
    assert (await store.get("build-1")).mark == "first"


async def test_what_is_there_already_is_not_taken_again(store):
    await store.save(record())
    await store.append(record(), page(0, 5, "first"))
    await store.append(record(), Page(0, lines(100, 105), "again"))
    await store.append(record(), Page(3, lines(203, 208), "more"))
    assert await read(store) == dict(enumerate(lines(0, 5) + lines(205, 208)))
    assert (await store.get("build-1")).mark == "more"


async def test_a_page_without_events_says_nothing(store):
    await store.save(record())
    await store.append(record(), Page(5, (), "mark"))
    assert await store.get("build-1") == Kept(record())


async def test_a_hole_shows(store):
    await store.save(record())
    await store.append(record(), page(0, 2))
    await store.append(record(), page(10, 12))
    assert list(await read(store)) == [0, 1, 10, 11]
    assert (await store.page("build-1", 5)).first == 10


async def test_only_the_author_appends(store):
    await store.save(record())
    await store.append(record(author=NEW), page(0, 3))
    await store.append(record(author="000"), page(0, 3))
    await store.append(record(2), page(0, 3))
    assert await read(store) == {}
    assert await store.get("build-2") is None


async def test_what_is_said_before_the_build_is_saved_is_not_kept(store):
    store.append(record(), page(0, 3))
    await store.save(record())
    assert await store.get("build-1") == Kept(record())


async def test_pages_may_follow_the_end(store):
    await store.save(record())
    await store.append(record(), page(0, 3))
    await store.save(built())
    await store.append(built(), page(3, 6))
    assert list(await read(store)) == list(range(6))


TEXTS = [
    "",
    "plain",
    "\x00 NUL \x00",
    "\ud800 unpaired \udfff",
    "\x1b[31mred\x1b[0m\r 50%\r100%",
    "naïve 東京 🚀 \u2028 \x85",
    '{"json": ["\\u0000", 1e999]}',
    "1",
    "x" * 1_000_000,
]


async def test_any_text_survives(store):
    said = tuple(LogLine("uid-1", index, text) for index, text in enumerate(TEXTS))
    said += tuple(Gap(text) for text in TEXTS[:6])
    said += tuple(PhaseChanged(Phase.BUILDING, text) for text in TEXTS[:6])
    await store.save(record())
    await store.append(record(), Page(0, said))
    assert await read(store) == dict(enumerate(said))


async def test_every_kind_of_event_survives(store):
    said = (
        PhaseChanged(Phase.WAITING, "Waiting"),
        LogLine("uid-1", 5, "begins late", Phase.FETCHING),
        LogLine("uid-1", 6, "six"),
        Gap("3 lines are missing"),
        LogLine("uid-1", 10, "ten"),
        LogLine("uid-2", 0, "another pod"),
        LogLine("uid:3", 7, "a third", Phase.PUSHING),
        PhaseChanged(Phase.FAILED, "No", Reason.DISK_FULL),
        PhaseChanged(Phase.BUILT, "Yes", image="r/x@" + DIGEST, digest=DIGEST),
    )
    await store.save(record())
    await store.append(record(), Page(0, said))
    assert await read(store) == dict(enumerate(said))


async def test_strange_text_in_a_state_does_not_hinder_it(store):
    await store.save(record(message="bad \x00 \ud800", uid="uid-1"))
    await store.save(record(2, message="good"))
    assert (await store.get("build-1")).record.uid == "uid-1"
    assert (await store.get("build-1")).record.message.startswith("bad ")
    assert (await store.get("build-2")).record.message == "good"


async def test_a_long_log_survives_its_end(store):
    await store.save(record())
    for first in range(0, 20_000, 1000):
        store.append(record(), page(first, first + 1000, f"mark-{first}"))
    await store.save(built())
    for _ in range(2):  # before and after the store has rearranged it
        assert await read(store) == dict(enumerate(lines(0, 20_000)))
        await store.save(built(owners=("ben",)))
    assert (await store.get("build-1")).mark == "mark-19000"


# -- Places --------------------------------------------------------------------------------------


async def test_a_line_is_found_by_its_index(store):
    await store.save(record())
    head = (PhaseChanged(Phase.WAITING, "Waiting"),)
    await store.append(record(), Page(0, head + lines(0, 10)))
    await store.append(record(), Page(11, (Gap("lost"), *lines(20, 30), *lines(0, 5, "uid-2"))))
    for source, index, last in [
        ("uid-1", 0, 1),
        ("uid-1", 9, 10),
        ("uid-1", 15, 10),
        ("uid-1", 20, 12),
        ("uid-1", 10**12, 21),
        ("uid-2", 0, 22),
        ("uid-2", 99, 26),
    ]:
        number = await store.seek("build-1", source, index)
        assert number is not None
        assert number <= last
        assert last - number < 1000
    assert await store.seek("build-1", "uid-3", 5) is None


async def test_a_place_in_a_long_log_is_near(store):
    await store.save(record())
    for first in range(0, 20_000, 1000):
        store.append(record(), page(first, first + 1000))
    await store.save(built())
    for index in (0, 999, 1000, 12_345, 19_999):
        number = await store.seek("build-1", "uid-1", index)
        assert index - 5000 < number <= index


# -- Lists ---------------------------------------------------------------------------------------


async def test_the_newest_come_first(store):
    for number in (2, 3, 1):
        await store.save(record(number))
    assert [kept.record.request.id for kept in await store.newest(2)] == ["build-3", "build-2"]
    earlier = await store.newest(9, before=record(3).request.created)
    assert [kept.record.request.id for kept in earlier] == ["build-2", "build-1"]


async def test_everyone_finds_what_they_asked_for(store):
    await store.save(record(1, owners=("ann",)))
    await store.save(record(2, owners=("ben",)))
    await store.save(record(3, owners=("ben",)))
    await store.save(record(3, owners=("ann",)))
    mine = await store.newest(9, owner=Owner("ann"))
    assert [kept.record.request.id for kept in mine] == ["build-3", "build-1"]
    assert len(mine[0].record.owners) == 2
    assert await store.newest(9, owner=Owner("ann", OwnerKind.SERVICE)) == []


async def test_builds_are_found_by_what_they_made(store):
    name = record().request.image.name
    await store.save(built(1))
    await store.save(built(2, author=NEW))
    await store.save(failed(3))
    await store.save(built(4, digest="sha256:" + "e" * 64))
    found = await store.made(name, DIGEST)
    assert [kept.record.request.id for kept in found] == ["build-2", "build-1"]
    assert await store.made("registry.example.org:5000/team/other", DIGEST) == []


async def test_no_more_than_a_hundred_are_found_by_what_they_made(store):
    for number in range(101):
        store.save(built(number))
    await store.save(record(1000))
    found = await store.made(record().request.image.name, DIGEST)
    assert [kept.record.request.id for kept in found] == [f"build-{n}" for n in range(100, 0, -1)]


async def test_what_is_published_is_in_everybodys_list_and_first_of_an_image(store):
    for number in (1, 2, 3):
        await store.save(built(number, owners=("ann",)))
    await store.save(built(4, owners=("ben",)))
    await store.publish("build-2", published=True)
    found = await store.newest(9, owner=Owner("ben"))
    assert [(kept.record.request.id, kept.published) for kept in found] == [
        ("build-4", False),
        ("build-2", True),
    ]
    assert len(await store.newest(9, owner=Owner("ann"))) == 3
    assert [k.record.request.id for k in await store.newest(1, owner=Owner("ben"))] == ["build-4"]
    assert [k.record.request.id for k in await store.made(record().request.image.name, DIGEST)] == [
        "build-2",
        "build-4",
        "build-3",
        "build-1",
    ]
    await store.publish("build-2", published=False)
    assert len(await store.newest(9, owner=Owner("ben"))) == 1
    await store.publish("build-unknown", published=True)
    assert await store.get("build-unknown") is None


async def test_what_is_said_beside_the_state_outlives_the_next_state(store):
    await store.save(record())
    await store.weigh("build-1", 2**40)
    await store.publish("build-1", published=True)
    await store.save(built(author=NEW))
    await store.save(built(author=NEW, owners=("ben",)))
    kept = await store.get("build-1")
    assert (kept.size, kept.published, kept.record.phase) == (2**40, True, Phase.BUILT)


async def test_what_somebody_asked_for_is_told_once_newest_first(store):
    def asked(number, name, ref="main", **changes):
        made = record(number, **changes)
        url = f"https://github.com/org/{name}"
        spec = RepoSpec("gh", url, ref, f"org/{name}/{ref}")
        resolved = dataclasses.replace(made.request.resolved, spec=spec)
        request = dataclasses.replace(made.request, resolved=resolved)
        return dataclasses.replace(made, request=request)

    for number, name, ref in ((1, "a", "main"), (2, "b", "main"), (3, "a", "main"), (4, "a", "v1")):
        await store.save(asked(number, name, ref))
    await store.save(asked(5, "c", owners=("ben",)))
    await store.publish("build-5", published=True)
    found = await store.wanted(Owner("ann"), 9)
    assert [(each.spec.spec, each.when) for each in found] == [
        ("org/a/v1", record(4).request.created),
        ("org/a/main", record(3).request.created),
        ("org/b/main", record(2).request.created),
    ]
    assert found[0].spec.repository == "https://github.com/org/a"
    assert await store.wanted(Owner("ann"), 1) == found[:1]
    assert await store.wanted(Owner("ann", OwnerKind.TOKEN), 9) == []


async def test_a_repository_is_familiar_to_who_has_an_image_of_it(store):
    url = "https://github.com/org/repo"
    await store.save(built(1, owners=("ann",)))
    await store.save(failed(2, owners=("ben",)))
    assert await store.familiar(url, Owner("ann"))
    assert not await store.familiar(url, Owner("ben"))
    assert not await store.familiar(url, Owner("ann", OwnerKind.SERVICE))
    assert not await store.familiar(f"{url}-2", Owner("ann"))
    await store.publish("build-1", published=True)
    assert await store.familiar(url, Owner("ben"))


async def test_figures(store):
    found = await store.figures(0)
    assert (found.failures, found.images, found.size) == ((), 0, 0)
    await store.save(failed(1, finished=100.0, reason=Reason.TIMEOUT))
    for number in (2, 3):
        await store.save(failed(number, finished=200.0 + number))
    await store.save(failed(4, phase=Phase.CANCELLED, reason=Reason.CANCELLED, finished=300.0))
    await store.save(built(5))
    await store.save(built(6, cached=True))
    await store.save(built(7, digest="sha256:" + "e" * 64))
    for number in (5, 6):
        await store.weigh(f"build-{number}", 2**33)
    found = await store.figures(100.0)
    assert found.failures == (
        Failures(Reason.BUILD_FAILED, 2, 203.0),
        Failures(Reason.TIMEOUT, 1, 100.0),
    )
    assert (found.images, found.size) == (2, 2**33)
    assert [each.count for each in (await store.figures(203.0)).failures] == [1]
    assert found.disk is None or 0 < found.disk.used < found.disk.total


# -- Taking over ---------------------------------------------------------------------------------


async def test_what_made_an_image_is_found_by_its_repository(store):
    for number in (1, 2, 3, 4):
        await store.save(built(number, entered=((Phase.BUILDING, 7.0),)))
    await store.save(failed(5))
    await store.save(record(6))
    await store.save(built(7, cached=True))
    found = await store.built("https://github.com/org/repo", 3)
    assert [kept.record.request.id for kept in found] == ["build-4", "build-3", "build-2"]
    assert found[0].record.entered == ((Phase.BUILDING, 7.0),)
    assert await store.built("https://github.com/org/other", 3) == []


async def test_a_build_that_is_over_can_be_forgotten_with_all_that_was_said(store):
    for number in (1, 2):
        store.save(record(number))
        store.append(record(number), page(0, 20))
        store.save(built(number))
    await store.forget("build-1")
    assert await store.get("build-1") is None
    assert await read(store) == {}
    ann = Owner("ann")
    assert [k.record.request.id for k in await store.newest(9, owner=ann)] == ["build-2"]
    assert list(await read(store, "build-2")) == list(range(20))
    await store.forget("build-1")


async def test_a_build_that_goes_on_is_not_forgotten(store):
    await store.save(record())
    await store.append(record(), page(0, 3))
    await store.forget("build-1")
    assert (await store.get("build-1")).record == record()
    assert list(await read(store)) == [0, 1, 2]


async def test_unfinished_builds_change_hands_with_what_was_said(store):
    for number in (2, 1):
        await store.save(record(number))
    await store.save(built(3))
    await store.append(record(), page(0, 3, "mark"))
    found = await store.unfinished(NEW)
    assert found == [Kept(record(1, author=NEW), 3, "mark"), Kept(record(2, author=NEW))]
    await store.append(record(), page(3, 6))
    await store.append(record(author=NEW), page(3, 5))
    assert await read(store) == dict(enumerate(lines(0, 5)))
    assert (await store.get("build-3")).record.author == OLD


async def test_one_that_has_taken_over_keeps_the_pages_when_it_saves(store):
    await store.save(record())
    await store.append(record(), page(0, 3, "mark"))
    await store.unfinished(NEW)
    await store.save(record(author=NEW, phase=Phase.BUILDING))
    assert (await store.get("build-1")).end == 3


async def test_an_earlier_author_takes_nothing_from_a_later_one(store):
    await store.save(record(author=NEW))
    assert await store.unfinished(OLD) == [Kept(record(author=NEW))]
    assert (await store.get("build-1")).record.author == NEW


async def test_unfinished_knows_what_was_written_before_it(store):
    store.save(record())
    store.append(record(), page(0, 3))
    assert await store.unfinished(NEW) == [Kept(record(author=NEW), 3)]


async def test_a_store_that_answers_passes_the_check(store):
    await store.save(record())
    assert await store.check() is None
