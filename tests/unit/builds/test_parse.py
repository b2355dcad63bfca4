from __future__ import annotations

import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_imagebuilder.builds.parse import MAX_LENGTH, parse
from jupyterhub_imagebuilder.configuration import imported
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.github import GitHubProvider
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES

GIT = GitProvider()
GH = GitHubProvider()
# "git" first: the order of the list must not matter
PROVIDERS = [GIT, GH]

GOOD = [
    ("https://github.com/org/repo", "gh", "https://github.com/org/repo", "HEAD"),
    ("  https://github.com/Org/Repo.git/ \n", "gh", "https://github.com/org/repo", "HEAD"),
    ("HTTPS://GitHub.com/org/repo@main", "gh", "https://github.com/org/repo", "main"),
    ("https://www.github.com/org/repo@feature/x", "gh", "https://github.com/org/repo", "feature/x"),
    ("https://github.com./org/repo", "gh", "https://github.com/org/repo", "HEAD"),
    ("https://github.com:443/org/repo", "gh", "https://github.com/org/repo", "HEAD"),
    ("http://github.com/org/repo@pkg@1.0", "gh", "https://github.com/org/repo", "pkg@1.0"),
    ("git://github.com/org/repo", "gh", "https://github.com/org/repo", "HEAD"),
    (
        "https://github.com/org/repo/tree/feature/x",
        "gh",
        "https://github.com/org/repo",
        "feature/x",
    ),
    ("https://github.com/org/repo/tree/pkg@1.0", "gh", "https://github.com/org/repo", "pkg@1.0"),
    ("https://github.com/org/repo/tree/a%23b", "gh", "https://github.com/org/repo", "a#b"),
    ("https://github.com/o/r/commit/0123abc", "gh", "https://github.com/o/r", "0123abc"),
    ("https://github.com/o/r?tab=readme-ov-file@v1", "gh", "https://github.com/o/r", "v1"),
    ("https://github.com/o/r#readme", "gh", "https://github.com/o/r", "HEAD"),
    ("git@github.com:org/repo.git", "gh", "https://github.com/org/repo", "HEAD"),
    ("ssh://git@github.com/org/repo@main", "gh", "https://github.com/org/repo", "main"),
    (
        "https://github.com/org/repo/pull/12",
        "gh",
        "https://github.com/org/repo",
        "refs/pull/12/head",
    ),
    ("build:gh/org/repo/HEAD", "gh", "https://github.com/org/repo", "HEAD"),
    ("build:gh/Org/repo.git/a/b", "gh", "https://github.com/org/repo", "a/b"),
    ("build:gh/org/repo/a%2Fb", "gh", "https://github.com/org/repo", "a/b"),
    (
        "build:git/https%3A%2F%2Fgithub.com%2FOrg%2FRepo/main",
        "gh",
        "https://github.com/org/repo",
        "main",
    ),
    ("git://10.85.0.1/hello", "git", "git://10.85.0.1/hello", "HEAD"),
    ("git://10.85.0.1:9418//hello/.git", "git", "git://10.85.0.1/hello", "HEAD"),
    ("git://10.85.0.1:9419/hello@v1", "git", "git://10.85.0.1:9419/hello", "v1"),
    ("https://Git.Example.org/a/B.git@main", "git", "https://git.example.org/a/B", "main"),
    ("https://git.example.org/~me/x", "git", "https://git.example.org/~me/x", "HEAD"),
    ("https://git.example.org/%7Eme/x%20y", "git", "https://git.example.org/~me/x%20y", "HEAD"),
    ("https://git.example.org/a%40b@c", "git", "https://git.example.org/a%40b", "c"),
    ("https://bücher.example/é", "git", "https://xn--bcher-kva.example/%C3%A9", "HEAD"),
    ("https://[2001:DB8::0:1]:443/x", "git", "https://[2001:db8::1]/x", "HEAD"),
    ("https://github.com:8443/o/r", "git", "https://github.com:8443/o/r", "HEAD"),
    ("https://gist.github.com/o/1", "git", "https://gist.github.com/o/1", "HEAD"),
    (
        "build:git/https%3A%2F%2Fgit.example.org%2Fa/feature/x",
        "git",
        "https://git.example.org/a",
        "feature/x",
    ),
]

BAD = [
    ("", "write for example https://github.com/org/repo"),
    ("org/repo", "write for example"),
    ("quay.io/org/image:tag", "write for example"),
    ("github.com/org/repo", "write for example"),
    ("git@git.example.org:org/repo.git", "https://git.example.org/org/repo."),
    ("ssh://git@git.example.org/org/repo", "not read over ssh: use https or git"),
    ("file:///etc", "not read over file: use https or git"),
    ("http://git.example.org/x", "not read over http: use https or git"),
    ("ext::sh -c id", "write for example"),
    ("https://", "host"),
    ("https:///x", "host"),
    ("https://git.example.org", "no repository"),
    ("https://git.example.org/", "no repository"),
    ("https://git.example.org/.git", "no repository"),
    ("https://git.example.org/x@", "missing behind the '@'"),
    ("https://git.example.org/x@-a", "cannot be the name"),
    ("https://git.example.org/x@a..b", "cannot be the name"),
    ("https://git.example.org/x@a b", "cannot be the name"),
    ("https://git.example.org/x@" + "a" * 256, "cannot be the name"),
    ("https://git.example.org/a b", "a space"),
    ("https://git.example.org/a\nb", "a space"),
    ("https://git.example.org/a\x00b", "invisible"),
    ("https://git.example.org/a\\b", "backslash"),
    ("https://git.example.org/\ud800", "invisible"),
    ("https://git.example.org/a/../b", "'.'"),
    ("https://git.example.org/a/%2e%2E/b", "'.'"),
    ("https://git.example.org/...git", "'.'"),
    ("https://git.example.org/a%0ab", "control"),
    ("https://git.example.org/a%zz", "hexadecimal"),
    ("https://git.example.org/x?a=b", "Leave out"),
    ("https://git.example.org/x#a", "Leave out"),
    ("https://-git.example.org/x", "host"),
    ("https://git..example.org/x", "host"),
    ("https://git.example.org:99999/x", "port"),
    ("https://git.example.org:a/x", "host"),
    ("https://[::1/x", "host"),
    ("https://[::1]a/x", "host"),
    ("https://user:secret@git.example.org/x", "password"),
    ("https://secret@github.com/org/repo", "password"),
    ("https://github.com/org", "https://github.com/org/repo"),
    ("https://github.com/org/repo/issues/12", "page inside"),
    ("https://github.com/org/repo/tree", "page inside"),
    ("https://github.com/-org/repo", "no organization"),
    ("https://github.com/org/re%20po", "no organization"),
    ("build:", "it has: gh, git"),
    ("build:zz/a/b/c", "it has: gh, git"),
    ("build:gh/org/repo", "org/repo/HEAD"),
    ("build:gh/org/repo/", "org/repo/HEAD"),
    ("build:gh/org", "org/repo/HEAD"),
    ("build:git/https%3A%2F%2Fgit.example.org%2Fa", "<percent-encoded URL>/<ref>"),
    ("build:git/https://git.example.org/a/main", "<percent-encoded URL>/<ref>"),
    ("build:git/ext%3A%3Ash/main", "<percent-encoded URL>/<ref>"),
    ("https://git.example.org/" + "a" * MAX_LENGTH, "longer than the 2048"),
]


@pytest.mark.parametrize(("text", "provider", "repository", "ref"), GOOD)
def test_what_people_paste(text, provider, repository, ref):
    spec = parse(text, PROVIDERS)
    assert (spec.provider, spec.repository, spec.ref) == (provider, repository, ref)


@pytest.mark.parametrize(("text", "provider", "repository", "ref"), GOOD)
def test_what_was_read_reads_the_same_again(text, provider, repository, ref):
    spec = parse(text, PROVIDERS)
    assert parse(f"{spec.repository}@{spec.ref}", PROVIDERS) == spec
    assert parse(f"build:{spec}", PROVIDERS) == spec


@pytest.mark.parametrize(("text", "words"), BAD)
def test_what_is_refused_says_why_in_one_sentence(text, words):
    with pytest.raises(SpecInvalid) as caught:
        parse(text, PROVIDERS)
    message = caught.value.message
    assert words in message
    assert message.endswith(".")
    assert "\n" not in message
    assert "secret" not in message


ALL = [imported(name, "x")() for name in reversed(PROVIDER_CLASSES)]
COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (f"build:ckan/{quote('https://data.example.org/dataset/x1', safe='')}", "ckan"),
        (f"build:hg/{quote('https://hg.example.org/repo', safe='')}/default", "hg"),
        (f"build:hg/{quote('https://git.example.org/repo', safe='')}/default", "hg"),
        (f"build:git/{quote('https://gitlab.com/a/b', safe='')}/main", "gl"),
        (f"build:git/{quote('https://git.example.org/dataset/x1', safe='')}/main", "git"),
        ("build:zenodo/10.5281/zenodo.3242074", "zenodo"),
        ("build:dataverse/10.7910/DVN/TJCLKP", "dataverse"),
        ("10.5281/zenodo.3242074", "zenodo"),
        ("doi:10.7910/DVN/TJCLKP", "dataverse"),
        ("https://doi.org/10.6084/m9.figshare.9782777.v2", "figshare"),
        ("https://zenodo.org/records/3242074/files/a.zip?download=1", "zenodo"),
        (f"swh:1:rev:{COMMIT}", "swh"),
        (
            f"https://archive.softwareheritage.org/swh:1:rev:{COMMIT};origin=https://github.com/o/r",
            "swh",
        ),
        ("hg+https://hg.example.org/repo@stable", "hg"),
        ("https://gitlab.com/group/sub/repo/-/merge_requests/3", "gl"),
        ("https://codeberg.org/o/r/src/branch/main", "gitea"),
        ("https://bitbucket.org/w/r@main", "bb"),
        ("https://gist.github.com/o/" + "1" * 32, "gist"),
        ("https://git.example.org/dataset/x1@main", "git"),
    ],
)
def test_whose_a_text_is_does_not_depend_on_how_it_is_written(text, provider):
    spec = parse(text, ALL)
    assert spec.provider == provider
    assert parse(f"build:{spec}", ALL) == spec


def test_http_is_read_where_the_admin_allows_it():
    git = GitProvider(allowed_protocols=["https", "http"])
    assert parse("http://git.example.org:80/x", [git]).repository == "http://git.example.org/x"
    with pytest.raises(SpecInvalid, match="use https or http"):
        parse("git://git.example.org/x", [git])


def test_without_providers_nothing_is_a_repository():
    with pytest.raises(SpecInvalid, match="it has: none"):
        parse("build:gh/o/r/HEAD", [])
    with pytest.raises(SpecInvalid, match="write for example"):
        parse("https://github.com/o/r", [])


NEAR_URLS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["https://", "git://", "build:gh/", "build:git/", "HTTPS://GitHub.com/"]),
        st.text(st.sampled_from("aZ0.-_~/:@?#%[]\\ \u00e9.git") | st.characters(), max_size=40),
    ),
)


@settings(deadline=None, database=None)
@given(st.text(max_size=100) | NEAR_URLS)
def test_parse_raises_nothing_but_spec_invalid_and_reads_its_own_result(text):
    try:
        spec = parse(text, PROVIDERS)
    except SpecInvalid:
        return
    assert parse(f"{spec.repository}@{spec.ref}", PROVIDERS) == spec
    assert parse(f"build:{spec}", PROVIDERS) == spec


def test_importing_the_package_loads_no_provider():
    code = (
        "import sys, jupyterhub_imagebuilder.providers;"
        "print([m for m in ('aiohttp', 'traitlets', 'tornado') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
