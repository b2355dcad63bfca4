"""A saved commit, in the form that its provider gives it."""

from __future__ import annotations

import re

import pytest

from jupyterhub_imagebuilder.errors import SpecInvalid
from tests.unit.builds.records import ALICE, COMMIT
from tests.unit.builds.world import REPO, World


@pytest.fixture
async def world():
    world = World()
    yield world
    for service in world.services:
        await service.stop()


async def test_a_version_of_an_archive_is_built_by_its_own_id(world):
    world.provider.commit_form = re.compile(r"[0-9]{1,12}\.v[0-9]+")
    build = await world.service().request(REPO, ALICE, "9782777.v2")
    assert build.request.resolved.commit == "9782777.v2"
    assert not world.provider.calls


@pytest.mark.parametrize("commit", [COMMIT, "9782777.v2 ", "--push", ""])
async def test_what_is_no_id_of_that_archive_is_refused(world, commit):
    world.provider.commit_form = re.compile(r"[0-9]{1,12}\.v[0-9]+")
    with pytest.raises(SpecInvalid, match="no id of a version"):
        await world.service().request(REPO, ALICE, commit)


@pytest.mark.parametrize("commit", ["9782777.v2", "main", COMMIT[:7]])
async def test_git_takes_whole_commits_alone(world, commit):
    with pytest.raises(SpecInvalid, match="40 hexadecimal digits"):
        await world.service().request(REPO, ALICE, commit)
