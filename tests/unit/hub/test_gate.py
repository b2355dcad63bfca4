from __future__ import annotations

from dataclasses import replace

import pytest

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import (
    BuildFailed,
    ImageUnknown,
    Reason,
    ServiceUnavailable,
)
from jupyterhub_imagebuilder.hub.client import pinned
from jupyterhub_imagebuilder.hub.gate import Admitted, admit, is_under
from jupyterhub_imagebuilder.hub.profile import Build, OtherImage

from .fakes import BUILT, COMMIT, DIGEST, OPEN, PINNED, FakeService

ALICE = Owner("alice", groups=frozenset({"team"}))
PREFIX = "registry.test/team/"


async def admitted(chosen, image="", service=None, **more):
    more.setdefault("prefix", PREFIX)
    return await admit(chosen, image, ALICE, service or FakeService(), **more)


async def test_a_repository_becomes_the_digest_that_the_service_gives_for_it():
    service = FakeService([BUILT])
    result = await admitted(Build("git://h/r", "abc"), "git://h/r", service)
    assert result == Admitted(PINNED, COMMIT)
    assert service.asked == [("git://h/r", ALICE, "abc")]


async def test_what_was_waited_for_is_not_asked_for_again():
    service = FakeService([ServiceUnavailable("down")])
    result = await admitted(Build("git://h/r"), "git://h/r", service, known=BUILT)
    assert result.image == PINNED
    assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (OPEN, BuildFailed, Reason.STILL_BUILDING),
        (replace(OPEN, phase=Phase.FAILED, reason=Reason.PUSH_DENIED), BuildFailed, "push-denied"),
        (replace(OPEN, phase=Phase.CANCELLED), BuildFailed, Reason.CANCELLED),
        (replace(BUILT, digest=None), ServiceUnavailable, Reason.SERVICE_UNAVAILABLE),
    ],
)
async def test_without_an_image_nothing_starts(answer, error, reason):
    with pytest.raises(error) as caught:
        await admitted(Build("git://h/r"), service=FakeService([answer]))
    assert caught.value.reason == reason


async def test_the_admins_own_choice_is_not_touched():
    service = FakeService()
    assert await admitted(None, PREFIX + "prebuilt:1", service) is None
    assert await admitted(OtherImage("quay.io/a/b:c"), "quay.io/a/b:c", service) is None
    assert service.asked == service.vouched == []


async def test_an_image_of_ours_from_a_free_text_passes_where_the_service_vouches_for_it():
    service = FakeService()
    assert await admitted(OtherImage(PINNED), PINNED, service) == Admitted(PINNED)
    assert service.vouched == [(PINNED, ALICE)]


@pytest.mark.parametrize(
    "image",
    [
        "registry.test/team/hello-0a1b:4b82",
        "registry.test/team/hello-0a1b",
        "REGISTRY.test/team/hello-0a1b:4b82",
        "registry.test:443/team/hello-0a1b:4b82",
        " registry.test/team/hello:1",
        "registry.test/team/hello@sha256:abc",
        f"registry.test/team/other@{DIGEST}",
        f"registry.test:443/team/hello-0a1b@{DIGEST}",
        f"registry.test/team/a@b@{DIGEST}",
    ],
)
async def test_any_other_spelling_of_an_image_of_ours_is_refused(image):
    with pytest.raises(ImageUnknown) as caught:
        await admitted(OtherImage(image), image)
    assert caught.value.reason == "image-unknown"


@pytest.mark.parametrize(
    ("image", "prefix", "expected"),
    [
        ("registry.test/team/x:1", PREFIX, True),
        ("registry.test/teams/x:1", PREFIX, False),
        ("other.test/team/x:1", PREFIX, False),
        ("registry.test/team/x:1", "", False),
        ("org/hub-x:1", "docker.io/org/hub-", True),
        ("index.docker.io/org/hub-x:1", "docker.io/org/hub-", True),
        ("docker.io/library/hub-x", "hub-", True),
        ("localhost:5000/a", "localhost:5000/", True),
    ],
)
def test_what_lies_under_the_prefix(image, prefix, expected):
    assert is_under(image, prefix) is expected


@pytest.mark.parametrize(
    ("image", "digest", "expected"),
    [
        ("r.test:5000/a/b:tag", DIGEST, f"r.test:5000/a/b@{DIGEST}"),
        ("r.test:5000/a/b", DIGEST, f"r.test:5000/a/b@{DIGEST}"),
        (f"r.test/b:tag@{DIGEST}", DIGEST, f"r.test/b@{DIGEST}"),
        ("b:tag", DIGEST, f"b@{DIGEST}"),
        ("b:tag", None, None),
        (None, DIGEST, None),
    ],
)
def test_pinning(image, digest, expected):
    assert pinned(image, digest) == expected
