from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.refs import (
    check_ref,
    commit_of,
    commits_with_prefix,
    is_abbreviated_commit,
    is_full_commit,
    patterns_for,
    quote_ref,
    read_ls_remote,
    unquote_ref,
)

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
LISTED = (
    f"{A}\tHEAD\n{A}\trefs/heads/main\n{B}\trefs/heads/v1\n"
    f"{C}\trefs/tags/v1\n{D}\trefs/tags/v1^{{}}\n{B}\trefs/pull/7/head\n"
)


@pytest.mark.parametrize("ref", ["HEAD", "main", "feature/x", "v1.0", "pkg@1.0", "a-b", "é", "#1"])
def test_refs_that_git_allows(ref):
    assert check_ref(ref) == ref
    assert unquote_ref(quote_ref(ref)) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--upload-pack=x",
        "a b",
        "a\tb",
        "a\x00",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
        "a//b",
        "/a",
        "a/",
        "a.",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "@",
        "a@{1}",
        "a" * 256,
        "\ud800",
        "\u202e",
    ],
)
def test_refs_that_git_does_not_allow(ref):
    with pytest.raises(SpecInvalid, match="ref cannot be"):
        check_ref(ref)


@settings(deadline=None, database=None)
@given(st.text(max_size=60))
def test_every_allowed_ref_survives_the_spec(ref):
    try:
        check_ref(ref)
    except SpecInvalid:
        return
    assert unquote_ref(quote_ref(ref)) == ref
    assert not ref.startswith("-")


@pytest.mark.parametrize(
    ("ref", "full", "abbreviated"),
    [
        ("a" * 40, True, False),
        ("A" * 64, True, False),
        ("abcdef1", False, True),
        ("ABCDEF1", False, True),
        ("a" * 50, False, True),
        ("abcdef", False, False),
        ("abcdefg", False, False),
        ("a" * 65, False, False),
    ],
)
def test_what_can_be_a_commit(ref, full, abbreviated):
    assert is_full_commit(ref) is full
    assert is_abbreviated_commit(ref) is abbreviated


def test_a_tag_comes_before_a_branch_and_is_peeled():
    refs = read_ls_remote(LISTED)
    assert commit_of("v1", refs) == D
    assert commit_of("refs/heads/v1", refs) == B
    assert commit_of("heads/v1", refs) == B


def test_default_branch_branches_and_pull_requests():
    refs = read_ls_remote(LISTED)
    assert commit_of("HEAD", refs) == A
    assert commit_of("main", refs) == A
    assert commit_of("pull/7/head", refs) == B
    assert commit_of("mai", refs) is None


def test_commits_by_their_first_digits():
    refs = read_ls_remote(LISTED + f"{'a' * 39}b\trefs/heads/other\n")
    assert commits_with_prefix("BBBBBBB", refs) == {B}
    assert commits_with_prefix("aaaaaaa", refs) == {A, "a" * 39 + "b"}
    assert commits_with_prefix("ccccccc", refs) == set()


def test_only_what_looks_like_a_commit_asks_for_every_ref():
    assert "refs/heads/*" in patterns_for("abcdef1")
    assert "refs/heads/*" in patterns_for("a" * 40)
    assert patterns_for("main") == [
        name + end
        for name in ("refs/main", "refs/tags/main", "refs/heads/main")
        for end in ("", "^{}")
    ]


def test_lines_that_are_no_refs_are_passed_over():
    assert read_ls_remote("From somewhere\nxyz\trefs/heads/main\n\n") == {}
