"""What people paste: clone addresses, pages of branches, files, commits and requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError

from jupyterhub_imagebuilder.builds.parse import parse
from jupyterhub_imagebuilder.errors import ImageBuilderError, SpecInvalid
from jupyterhub_imagebuilder.providers.bitbucket import BitbucketProvider
from jupyterhub_imagebuilder.providers.forge import date_of, field, found_in, title_of
from jupyterhub_imagebuilder.providers.gist import GistProvider
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.providers.gitlab import GitLabProvider

SHA = "0123456789abcdef0123456789abcdef01234567"
GH, GL, CB = "https://github.com", "https://gitlab.com", "https://codeberg.org"
BB, GIST = "https://bitbucket.org", "https://gist.github.com"


@pytest.fixture(scope="module")
def providers():
    return [
        GitHubProvider(),
        GistProvider(),
        GitLabProvider(hosts=["gitlab.com", "git.example.org:8443"]),
        GiteaProvider(hosts=["codeberg.org", "forge.example.org:3000"]),
        BitbucketProvider(),
        GitProvider(),
    ]


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (f"{GH}/Org/Repo", "gh/org/repo/HEAD"),
        (f"{GH}/org/repo.git@v1", "gh/org/repo/v1"),
        ("git@github.com:org/repo.git", "gh/org/repo/HEAD"),
        ("git@github.com:org/repo.git@feature/x", "gh/org/repo/feature/x"),
        ("org-12345@github.com:org/repo.git", "gh/org/repo/HEAD"),
        ("ssh://git@github.com/org/repo.git", "gh/org/repo/HEAD"),
        ("ssh://git@github.com:22/org/repo.git@v1", "gh/org/repo/v1"),
        (f"{GH}/org/repo?tab=readme-ov-file#install", "gh/org/repo/HEAD"),
        (f"{GH}/org/repo/tree/feature/x", "gh/org/repo/feature/x"),
        (f"{GH}/org/repo/tree/main/notebooks/a", "gh/org/repo/main"),
        (f"{GH}/org/repo/tree/refs/heads/feature/x", "gh/org/repo/feature/x"),
        (f"{GH}/org/repo/blob/{SHA}/a%20b.ipynb#L3", f"gh/org/repo/{SHA}"),
        (f"{GH}/org/repo/blob/main/a.ipynb", "gh/org/repo/main"),
        (f"{GH}/org/repo/commit/{SHA}", f"gh/org/repo/{SHA}"),
        (f"{GH}/org/repo/commits/main", "gh/org/repo/main"),
        (f"{GH}/org/repo/pull/7", "gh/org/repo/refs/pull/7/head"),
        (f"{GH}/org/repo/pull/7/commits/{SHA}", "gh/org/repo/refs/pull/7/head"),
        (f"{GH}/org/repo/releases/tag/pkg@1.0", "gh/org/repo/pkg@1.0"),
        (f"{GL}/Group/sub/sub2/Repo", "gl/group%2Fsub%2Fsub2%2Frepo/HEAD"),
        ("git@gitlab.com:group/sub/repo.git@v1", "gl/group%2Fsub%2Frepo/v1"),
        (f"{GL}/g/r/-/tree/main/a/b?ref_type=heads", "gl/g%2Fr/main"),
        (f"{GL}/g/s/r/-/tree/feature/x?ref_type=heads", "gl/g%2Fs%2Fr/feature/x"),
        (f"{GL}/g/r/-/blob/main/a.py#L1", "gl/g%2Fr/main"),
        (f"{GL}/g/r/tree/v1", "gl/g%2Fr/v1"),
        (f"{GL}/g/r/-/commit/{SHA}", f"gl/g%2Fr/{SHA}"),
        (f"{GL}/g/r/-/tags/v1", "gl/g%2Fr/v1"),
        (f"{GL}/g/r/-/merge_requests/3/diffs", "gl/g%2Fr/refs/merge-requests/3/head"),
        (
            "https://git.example.org:8443/g/r/-/tree/v1",
            "gl/https%3A%2F%2Fgit.example.org%3A8443%2Fg%2Fr/v1",
        ),
        (f"{CB}/Org/repo", "gitea/codeberg.org/org/repo/HEAD"),
        ("git@codeberg.org:org/repo.git", "gitea/codeberg.org/org/repo/HEAD"),
        (f"{CB}/org/repo/src/branch/main/a/b.py", "gitea/codeberg.org/org/repo/main"),
        (f"{CB}/org/repo/src/branch/feature/x", "gitea/codeberg.org/org/repo/feature/x"),
        (f"{CB}/org/repo/src/tag/v1", "gitea/codeberg.org/org/repo/v1"),
        (f"{CB}/org/repo/src/commit/{SHA}/a", f"gitea/codeberg.org/org/repo/{SHA}"),
        (f"{CB}/org/repo/commits/branch/feature/x", "gitea/codeberg.org/org/repo/feature/x"),
        (f"{CB}/org/repo/commit/{SHA}", f"gitea/codeberg.org/org/repo/{SHA}"),
        (f"{CB}/org/repo/pulls/5/files", "gitea/codeberg.org/org/repo/refs/pull/5/head"),
        (f"{CB}/org/repo/releases/tag/v1", "gitea/codeberg.org/org/repo/v1"),
        ("https://forge.example.org:3000/o/r", "gitea/forge.example.org%3A3000/o/r/HEAD"),
        (f"{BB}/team/repo", "bb/team/repo/HEAD"),
        ("git@bitbucket.org:team/repo.git", "bb/team/repo/HEAD"),
        (f"{BB}/team/repo/src/main/a/b", "bb/team/repo/main"),
        (f"{BB}/team/repo/src/{SHA}/?at=x", f"bb/team/repo/{SHA}"),
        (f"{BB}/team/repo/branch/feature/x", "bb/team/repo/feature/x"),
        (f"{BB}/team/repo/commits/{SHA}", f"bb/team/repo/{SHA}"),
        (f"{GIST}/Me/0123abcd", "gist/me/0123abcd/HEAD"),
        (f"{GIST}/me/0123abcd.git", "gist/me/0123abcd/HEAD"),
        (f"{GIST}/me/0123abcd/{SHA}", f"gist/me/0123abcd/{SHA}"),
        (f"{GIST}/me/0123abcd#file-a-py", "gist/me/0123abcd/HEAD"),
        ("https://gist.githubusercontent.com/me/0123abcd/raw/a.py", "gist/me/0123abcd/HEAD"),
        ("build:gist/me/0123abcd", "gist/me/0123abcd/HEAD"),
        ("build:gl/g%2Fr/main", "gl/g%2Fr/main"),
        ("build:git/https%3A%2F%2Fgitlab.com%2Fg%2Fr.git/main", "gl/g%2Fr/main"),
        ("build:bb/team/repo/feature/x", "bb/team/repo/feature/x"),
        ("build:gitea/codeberg.org/org/repo/a/b", "gitea/codeberg.org/org/repo/a/b"),
    ],
)
def test_understood(providers, text, spec):
    found = parse(text, providers)
    assert str(found) == spec
    # one repository has one name, however it was written
    assert parse(f"build:{spec}", providers) == found
    by_id = {provider.id: provider for provider in providers}
    assert by_id[found.provider].from_spec(found.spec) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{GH}/org", "https://github.com/org/repo"),
        (f"{GH}/org/repo/issues/3", "write https://github.com/org/repo alone"),
        (f"{GH}/org/repo/pull/new", "write https://github.com/org/repo alone"),
        (f"{GH}/org/repo/pull/" + "9" * 50, "alone"),
        (f"{GL}/group", "https://gitlab.com/group/repo"),
        (f"{GL}/g/r/-/issues/1", "write https://gitlab.com/g/r alone"),
        (f"{CB}/org/repo/wiki/x", "write https://codeberg.org/org/repo alone"),
        (f"{CB}/org", "https://codeberg.org/org/repo"),
        (f"{BB}/team/repo/pull-requests/4", "no ref for a pull request"),
        (f"{BB}/team", "https://bitbucket.org/workspace/repo"),
        (f"{GIST}/0123abcd", "user is missing"),
        (f"{GIST}/me/0123abcd/edit", "page of a gist"),
        ("git@git.elsewhere.example:org/repo.git", "https://git.elsewhere.example/org/repo"),
        ("ssh://git@git.elsewhere.example/org/repo.git", "not read over ssh"),
        ("https://me:pw@gitlab.com/g/r", "password"),
        ("ssh://me:pw@gitlab.com/g/r", "not read over ssh"),
        ("build:gl/repo/main", "no group or project"),
        ("build:gl/g%2Fr", "group%2Frepo/ref"),
        ("build:gl/https%3A%2F%2Fgithub.com%2Fa%2Fb/main", "none of the GitLab hosts"),
        ("build:gitea/git.elsewhere.example/o/r/main", "none of the Gitea"),
        ("build:gitea/codeberg.org/o/r", "host/org/repo/ref"),
        ("build:gist/me", "user/id"),
        ("build:bb/team/repo", "workspace/repo/ref"),
        ("build:gl/g%2F..%2Fr/main", "no group or project"),
        ("ext::sh -c id", "not the address"),
        ("file:///etc/passwd", "not read over file"),
        ("git+ext://x/y", "not read over git+ext"),
        (f"{GL}/g/r/-/tree/--upload-pack=x", "cannot be the name"),
        (f"{GL}/g/r\x00", "invisible"),
    ],
)
def test_refused_with_a_sentence(providers, text, words):
    with pytest.raises(SpecInvalid) as caught:
        parse(text, providers)
    assert words in caught.value.message
    assert "pw" not in caught.value.message


HOSTS = [GH, GL, CB, BB, GIST]
WORDS = ["org", "repo", "-", "tree", "src", "branch", "pull", "raw", "..", "%2F", "@", ".git", "12"]


@given(st.sampled_from(HOSTS), st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=7))
def test_whatever_is_pasted_is_a_spec_or_a_sentence(providers, host, parts):
    try:
        found = parse("/".join([host, *parts]), providers)
    except SpecInvalid:
        return
    assert parse(f"build:{found}", providers) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sha", "commit", "message", "date"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_answers_of_any_shape_are_sentences(said):
    commit = field(said, "commit")
    # no text of this strategy is as long as a commit
    with pytest.raises(ImageBuilderError, match="names no commit"):
        found_in(field(said, "sha"), field(commit, "message"), field(commit, "date"))
    found = found_in(SHA.upper(), field(commit, "message"), field(commit, "date"))
    assert found.commit == SHA
    assert isinstance(found.title, str | None)


def test_titles_and_dates():
    assert title_of("\n Fix\x1b[31m it \n\nmore") == "Fix[31m it"
    assert len(title_of("x" * 999)) == 200
    assert title_of("") is None
    assert date_of("2026-11-21T09:00:00Z") == date_of("2026-11-21T10:00:00.000+01:00")
    assert [date_of(each) for each in ("2026-11-21", "soon", None, 5)] == [None] * 4


@pytest.mark.parametrize("cls", [GitLabProvider, GiteaProvider])
@pytest.mark.parametrize("host", ["https://git.example.org", "a b", "x/y", "me@h", "h:443", ""])
def test_hosts_that_are_none_are_refused_at_start(cls, host):
    with pytest.raises(TraitError, match=rf"{cls.__name__}\.hosts"):
        cls(hosts=[host])
    assert cls(hosts=["Git.Example.org:8443"])._hosts() == ["git.example.org:8443"]
