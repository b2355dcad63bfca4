"""Which builds get a token, and what of it."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from jupyterhub_imagebuilder.errors import ProviderUnavailable
from jupyterhub_imagebuilder.providers.bitbucket import BitbucketProvider
from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider

GL = "https://gitlab.com/team"


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text("the-token\n")
    return path


@pytest.mark.parametrize(
    ("provider", "repository", "address", "user"),
    [
        (GitHubProvider, "https://github.com/a/b", "https://github.com/a/b", "x-access-token"),
        (GitLabProvider, f"{GL}/sub/b", f"{GL}/sub/b.git", "oauth2"),
        (GiteaProvider, "https://codeberg.org/a/b", "https://codeberg.org/a/b", "oauth2"),
        (
            BitbucketProvider,
            "https://bitbucket.org/a/b",
            "https://bitbucket.org/a/b",
            "x-token-auth",
        ),
    ],
)
def test_each_host_has_a_login(token, provider, repository, address, user):
    made = provider(access_token_file=str(token), private_repositories=["https://.*"])

    login = made.clone_login(repository)

    assert (login.address, login.user, login.password) == (address, user, "the-token")
    assert "the-token" not in repr(login)


def test_a_token_of_an_account_has_its_own_user(token):
    token.write_text("ann:her-token")
    made = BitbucketProvider(access_token_file=str(token), private_repositories=[".*"])

    login = made.clone_login("https://bitbucket.org/a/b")

    assert (login.user, login.password) == ("ann", "her-token")


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        (f"{GL}/.*", True),
        (f"{GL.upper()}/SECRET", True),
        (f"{GL}/secret", True),
        (GL, False),
        (f"{GL}/secr", False),
        ("team/.*", False),
    ],
)
def test_the_admin_names_the_whole_repository(token, pattern, chosen):
    made = GitLabProvider(access_token_file=str(token), private_repositories=[pattern])

    assert (made.clone_login(f"{GL}/secret") is not None) is chosen


def test_nobody_has_a_login_by_default(token):
    assert GitLabProvider(access_token_file=str(token)).clone_login(f"{GL}/a") is None


@pytest.mark.parametrize("repository", ["http://gitlab.com/team/a", "https://other.example/team/a"])
def test_no_token_leaves_for_another_host_or_in_the_open(token, repository):
    made = GitLabProvider(access_token_file=str(token), private_repositories=[".*"])

    assert made.clone_login(repository) is None


def test_a_token_that_is_not_there_is_told(tmp_path):
    made = GitLabProvider(
        access_token_file=str(tmp_path / "none"), private_repositories=[f"{GL}/.*"]
    )

    with pytest.raises(ProviderUnavailable, match="token"):
        made.clone_login(f"{GL}/secret")
    assert made.clone_login("https://gitlab.com/public/a") is None


def test_what_cannot_work_is_refused_at_the_start(token):
    with pytest.raises(TraitError, match=r"needs GitLabProvider\.access_token_file"):
        GitLabProvider(private_repositories=[".*"])
    with pytest.raises(TraitError, match="is no regular expression"):
        GitLabProvider(access_token_file=str(token), private_repositories=["*"])
