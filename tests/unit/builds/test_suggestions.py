from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.errors import SpecForbidden, SpecInvalid, StoreUnavailable
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.mercurial import MercurialProvider
from jupyterhub_imagebuilder.providers.zenodo import ZenodoProvider
from tests.fakes.store import MemoryStore
from tests.unit.builds.records import ADMIN, ALICE, BOB, COMMIT
from tests.unit.builds.world import REPO, World


@pytest.fixture
async def world():
    world = World()
    world.store = MemoryStore()
    yield world
    for service in world.services:
        await service.stop()


async def ask(world, service, *texts, owner=ALICE):
    for text in texts:
        await service.request(text, owner)
        world.clock.time += 1


async def texts(service, owner=ALICE):
    return [recent.text for recent in await service.suggestions.recent(owner)]


async def test_refs_of_what_may_not_be_built_are_not_asked_for(world):
    world.policy = SpecPolicy(banned=["https://git.example.org/org/repo"])
    service = world.service()
    with pytest.raises(SpecForbidden):
        await service.suggestions.refs(REPO)
    with pytest.raises(SpecInvalid):
        await service.suggestions.refs("build:nope/x")
    assert not world.provider.calls


async def test_what_was_asked_for_before_is_known_after_a_restart_and_without_the_store(world):
    for name in "ab":
        world.provider.commits[f"{REPO}-{name}", "main"] = name * 40
    first = world.service()
    await ask(world, first, f"{REPO}-a@main", f"{REPO}-b@main")
    await ask(world, first, REPO, owner=BOB)
    expected = [f"{REPO}-b@main", f"{REPO}-a@main"]
    assert await texts(first) == expected
    assert await texts(world.service()) == expected
    assert await texts(first, BOB) == [REPO]
    assert await texts(first, ADMIN) == []
    assert await texts(first, Owner("alice", OwnerKind.TOKEN)) == []
    world.store.unavailable = StoreUnavailable("The database is away.")
    assert await texts(first) == expected
    world.store.unavailable = None
    # what may not be built any more is not suggested
    world.policy = SpecPolicy(banned=[f"{REPO}-b"])
    assert await texts(world.service()) == [f"{REPO}-a@main"]


async def test_no_more_than_twenty(world):
    for number in range(25):
        world.provider.commits[f"{REPO}-{number}", "HEAD"] = f"{number:040x}"
    service = world.service()
    await ask(world, service, *(f"{REPO}-{number}" for number in range(25)))
    assert await texts(service) == [f"{REPO}-{number}" for number in range(24, 4, -1)]


async def test_no_more_is_read_than_is_suggested(world, monkeypatch):
    for number in range(40):
        world.provider.commits[f"{REPO}-{number}", "HEAD"] = f"{number:040x}"
    service = world.service()
    await ask(world, service, *(f"{REPO}-{number}" for number in range(40)))
    read = []
    check = world.policy.check
    monkeypatch.setattr(SpecPolicy, "check", lambda self, spec: (read.append(spec), check(spec)))
    assert len(await texts(service)) == 20
    assert len(read) == 20


@pytest.mark.parametrize(
    ("provider", "text", "suggested"),
    [
        (GitHubProvider, "https://github.com/org/repo", "https://github.com/org/repo"),
        (GitHubProvider, "build:gh/org/repo/a/b@c", "https://github.com/org/repo@a/b@c"),
        (
            MercurialProvider,
            "hg+https://hg.example.org/repo@default",
            "build:hg/https%3A%2F%2Fhg.example.org%2Frepo/default",
        ),
        (ZenodoProvider, "10.5281/zenodo.3242074", None),
    ],
)
async def test_what_is_suggested_is_understood(world, provider, text, suggested):
    real = provider()
    real.resolve = _always
    world.provider = real
    service = world.service()
    await ask(world, service, text)
    (found,) = await service.suggestions.recent(ALICE)
    assert found.text == suggested or suggested is None
    await ask(world, service, found.text)
    assert await texts(service) == [found.text]
    if hasattr(real, "close"):
        await real.close()


async def _always(spec):
    from jupyterhub_imagebuilder.builds.model import ResolvedRef

    return ResolvedRef(spec, COMMIT)
