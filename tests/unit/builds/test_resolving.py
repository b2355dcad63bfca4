from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.resolving import Resolver
from jupyterhub_imagebuilder.errors import SpecForbidden, SpecInvalid
from tests.fakes.clock import InstantClock
from tests.fakes.provider import FakeProvider
from tests.unit.builds.records import ALICE, BOB, COMMIT, request, resolved

REPO = "https://git.example.org/org/repo"


def resolver(*, policy=None, **changes):
    values = {
        "providers": [FakeProvider({(REPO, "main"): COMMIT})],
        "policy": policy or SpecPolicy(),
        "image_prefix": "registry.example.org/team/",
        "settings": {},
        "platform": "linux/amd64",
        "clock": InstantClock(),
    }
    return Resolver(**(values | changes))


async def test_from_what_was_typed_to_the_names_that_everybody_gives_it():
    resolve = resolver()
    found = await resolve.resolve(resolve.read(f"{REPO}@main"))
    made, known = resolve.request(found, ALICE), request()
    assert made.resolved.commit == COMMIT
    assert (made.key, made.name, made.image) == (known.key, known.name, known.image)


async def test_who_asks_again_gets_the_same_names_and_another_id():
    resolve = resolver()
    first, second = (resolve.request(resolved(), owner) for owner in (ALICE, BOB))
    assert (first.key, first.name, first.image) == (second.key, second.name, second.image)
    assert first.id != second.id
    assert (first.owner, second.owner) == (ALICE, BOB)


@pytest.mark.parametrize(
    "other", [resolved(commit="f" * 40), resolved(repository="https://git.example.com/org/repo")]
)
def test_another_commit_and_another_host_are_another_image(other):
    resolve = resolver()
    made, differs = resolve.request(resolved(), ALICE), resolve.request(other, ALICE)
    assert len({made.key, differs.key}) == len({made.image, differs.image}) == 2


@pytest.mark.parametrize("change", [{"settings": {"a": 1}}, {"platform": "linux/arm64"}])
def test_what_else_changes_the_image_is_in_its_name(change):
    made, differs = (r.request(resolved(), ALICE) for r in (resolver(), resolver(**change)))
    assert len({made.key, differs.key}) == len({made.image, differs.image}) == 2


def test_what_is_not_allowed_is_neither_read_nor_requested():
    resolve = resolver(policy=SpecPolicy(banned=(f"{REPO}$",)))
    with pytest.raises(SpecForbidden):
        resolve.read(f"{REPO}@main")
    with pytest.raises(SpecForbidden):
        resolve.request(resolved(), ALICE, rebuild=True)


async def test_a_saved_commit_is_asked_of_nobody():
    provider = FakeProvider()
    resolve = resolver(providers=[provider])
    spec = resolve.read(f"{REPO}@main")
    assert (await resolve.resolve(spec, COMMIT)).commit == COMMIT
    assert not provider.calls
    with pytest.raises(SpecInvalid, match="40 hexadecimal digits"):
        await resolve.resolve(spec, "main")
