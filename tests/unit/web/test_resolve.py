from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import ImageName, Owner, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.outlook import Limits, Outlook
from jupyterhub_imagebuilder.builds.parse import parse
from jupyterhub_imagebuilder.builds.queue import QueueLimits, Usage
from jupyterhub_imagebuilder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RegistryUnavailable,
    SpecForbidden,
    SpecInvalid,
)
from jupyterhub_imagebuilder.providers.bitbucket import BitbucketProvider
from jupyterhub_imagebuilder.providers.ckan import CKANProvider
from jupyterhub_imagebuilder.providers.dataverse import DataverseProvider
from jupyterhub_imagebuilder.providers.figshare import FigshareProvider
from jupyterhub_imagebuilder.providers.gist import GistProvider
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider
from jupyterhub_imagebuilder.providers.hydroshare import HydroShareProvider
from jupyterhub_imagebuilder.providers.mercurial import MercurialProvider
from jupyterhub_imagebuilder.providers.swh import SoftwareHeritageProvider
from jupyterhub_imagebuilder.providers.zenodo import ZenodoProvider
from jupyterhub_imagebuilder.web.forms import provider_document
from tests.unit.web.support import COMMIT, DIGEST, OWN, new_build

REPOSITORY = "https://git.example.org/org/repo@main"
ALL = [
    BitbucketProvider,
    CKANProvider,
    DataverseProvider,
    FigshareProvider,
    GistProvider,
    GitHubProvider,
    GitLabProvider,
    GitProvider,
    GiteaProvider,
    HydroShareProvider,
    MercurialProvider,
    SoftwareHeritageProvider,
    ZenodoProvider,
]


def outlook(**changes):
    spec = RepoSpec("git", "https://git.example.org/org/repo", "main", "x/main")
    limits = Limits(QueueLimits(running=4, per_user=2), Usage(3, 0, 1, 0, 2), 3600.0)
    found = {
        "resolved": ResolvedRef(spec, COMMIT, "Add a notebook", 1_700_000_000.0),
        "image": ImageName("registry.example.org", "team/repo", "t1"),
        "digest": None,
        "under_way": False,
        "build": None,
        "seconds": None,
        "limits": limits,
    }
    return Outlook(**(found | changes))


class TestResolve:
    async def test_all_that_is_known(self, web):
        web.builds.outlook = outlook(seconds=92.5)
        status, answer = await web.post("api/resolve", {"repository": REPOSITORY})
        assert status == 200
        assert answer == {
            "provider": "git",
            "spec": "x/main",
            "repository": "https://git.example.org/org/repo",
            "ref": "main",
            "commit": COMMIT,
            "title": "Add a notebook",
            "date": "2023-11-14T22:13:20+00:00",
            "image": "registry.example.org/team/repo:t1",
            "digest": None,
            "cached": False,
            "why": "There is no image of this commit yet; it has to be built.",
            "under_way": False,
            "build": None,
            "expected_seconds": 92.5,
            "limits": {
                "running": {"limit": 4, "used": 3},
                "waiting": {"limit": None, "used": 0},
                "user": {"limit": 2, "used": 1},
                "repository": {"limit": None, "used": 2},
                "user_waiting": 0,
                "queue_seconds": 3600.0,
            },
            "familiar": False,
        }
        owner = Owner("alice", groups=frozenset({"staff"}))
        assert web.builds.asked == [("look", REPOSITORY, owner, None)]

    async def test_an_image_that_is_there_is_pinned(self, web):
        web.builds.outlook = outlook(digest=DIGEST)
        _, answer = await web.post("api/resolve", {"repository": REPOSITORY})
        assert (answer["cached"], answer["digest"]) == (True, DIGEST)
        assert answer["image"] == f"registry.example.org/team/repo@{DIGEST}"

    async def test_a_build_under_way_has_its_id(self, web):
        web.builds.outlook = outlook(under_way=True, build=new_build())
        _, answer = await web.post("api/resolve", {"repository": REPOSITORY})
        assert (answer["under_way"], answer["build"], answer["cached"]) == (True, "b1", False)

    async def test_commit_and_owner_are_passed_on(self, web):
        web.builds.outlook = outlook()
        document = {"repository": REPOSITORY, "commit": COMMIT, "owner": {"name": "bob"}}
        assert (await web.post("api/resolve", document, token=OWN))[0] == 200
        assert web.builds.asked == [("look", REPOSITORY, Owner("bob"), COMMIT)]
        assert (await web.post("api/resolve", document))[0] == 403

    @pytest.mark.parametrize(
        "refusal",
        [
            SpecInvalid("a"),
            SpecForbidden("b"),
            RefNotFound("c"),
            ProviderUnavailable("d"),
            RegistryUnavailable("e"),
        ],
    )
    async def test_a_refusal_is_its_status_reason_and_sentence(self, web, refusal):
        web.builds.error = refusal
        status, error = await web.post("api/resolve", {"repository": REPOSITORY})
        assert status == refusal.status
        assert error == {"reason": refusal.reason.value, "message": refusal.message}

    @pytest.mark.parametrize("path", ["api/resolve", "api/builds"])
    async def test_half_a_character_is_no_text(self, web, path):
        for body in ('{"repository": "\\ud800"}', '{"repository": "x", "commit": "\\udfff"}'):
            status, error = await web.json("POST", path, data=body)
            assert (status, error["reason"]) == (400, "spec-invalid")

    async def test_without_a_token(self, web):
        status, _ = await web.post("api/resolve", {"repository": REPOSITORY}, token=None)
        assert status == 401


class TestLimits:
    async def test_the_callers_own(self, web):
        web.builds.outlook = outlook()
        status, answer = await web.json("GET", "api/limits")
        assert status == 200
        assert answer["running"] == {"limit": 4, "used": 3}
        assert web.builds.asked[-1][:2] == ("limits", "alice")


class TestProviders:
    async def test_what_the_form_needs(self, web):
        web.builds.providers = [GitProvider(), GitHubProvider()]
        status, answer = await web.json("GET", "api/providers")
        assert status == 200
        assert [provider["id"] for provider in answer["providers"]] == ["gh", "git"]
        assert answer["providers"][0] == {
            "id": "gh",
            "name": "GitHub",
            "refs": True,
            "spec": "org/repo/ref",
            "examples": [
                "https://github.com/org/repo",
                "https://github.com/org/repo@main",
                "https://github.com/org/repo/tree/main",
            ],
        }

    async def test_in_binderhubs_form_without_a_token_and_without_a_host(self, web):
        hidden = GitHubProvider(hostname="git.example.edu")
        web.builds.providers = [GitProvider(), hidden]
        status, answer = await web.json("GET", "api/repoproviders", token=None)
        assert status == 200
        assert [provider["id"] for provider in answer] == ["git", "gh"]
        assert "example.edu" not in str(answer)

    async def test_only_for_those_who_may_build(self, web):
        assert (await web.json("GET", "api/providers", token=None))[0] == 401

    @pytest.mark.parametrize("cls", ALL)
    def test_its_examples_are_its_own(self, cls):
        provider = cls()
        document = provider_document(provider)
        assert document["name"] != document["id"]
        assert document["spec"]
        assert document["examples"]
        for example in document["examples"]:
            assert parse(example, [each() for each in ALL]).provider == provider.id, example

    def test_the_admins_own_host_is_in_the_examples(self):
        provider = GitHubProvider(hostname="git.example.edu")
        assert provider_document(provider)["examples"][0] == "https://git.example.edu/org/repo"

    def test_one_that_we_do_not_know(self):
        class Other:
            id = "other"

        assert provider_document(Other()) == {
            "id": "other",
            "name": "other",
            "refs": True,
            "spec": "",
            "examples": [],
        }
