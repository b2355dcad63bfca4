from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import Ref, RefKind
from jupyterhub_imagebuilder.providers.listing import LIMIT, read_listing, suggested

A, B, C = (letter * 40 for letter in "abc")


def names(refs):
    return [ref.name for ref in refs.refs]


def branches(count, kind=RefKind.BRANCH, prefix="b"):
    return [Ref(f"{prefix}{number}", kind, A) for number in range(count)]


def test_what_git_prints():
    found = read_listing(
        f"ref: refs/heads/main\tHEAD\n{A}\tHEAD\n{B}\trefs/heads/feature/x\n{A}\trefs/heads/main\n"
        f"{C}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n"
    )
    assert found.refs == (
        Ref("main", RefKind.BRANCH, A),
        Ref("feature/x", RefKind.BRANCH, B),
        Ref("v1", RefKind.TAG, B),
    )
    assert (found.default, found.more) == ("main", False)


@pytest.mark.parametrize(
    "head", ["", f"{A}\tHEAD\n", "ref: refs/heads/gone\tHEAD\n", "ref: refs/tags/v1\tHEAD\n"]
)
def test_a_host_that_names_no_branch_that_is_there(head):
    found = read_listing(f"{head}{A}\trefs/heads/main\n")
    assert (names(found), found.default) == (["main"], None)


def test_an_empty_repository():
    assert read_listing("") == suggested([], None)
    assert not read_listing("").refs


def test_a_branch_of_the_name_of_a_commit_is_no_second_head():
    found = read_listing(f"ref: refs/heads/{B}\tHEAD\n{A}\tHEAD\n{A}\trefs/heads/{B}\n")
    assert found.refs == (Ref(B, RefKind.BRANCH, A),)
    assert found.default == B


def test_the_order():
    made = [Ref(name, RefKind.TAG, A) for name in ("v1.9", "v1.10", "x", "v1.10.1", "2024")]
    made += [Ref(name, RefKind.BRANCH, A) for name in ("release-10", "release-9", "trunk", "Main")]
    assert names(suggested(made, "trunk")) == [
        "trunk",
        "Main",
        "release-9",
        "release-10",
        "x",
        "v1.10.1",
        "v1.10",
        "v1.9",
        "2024",
    ]


@pytest.mark.parametrize(
    ("of", "tags", "shown"),
    [(500, 0, 500), (501, 0, 500), (400, 100, 400), (400, 300, 250), (100, 900, 100), (0, 600, 0)],
)
def test_there_is_room_for_both_kinds(of, tags, shown):
    found = suggested([*branches(of), *branches(tags, RefKind.TAG, "t")], None)
    kinds = [ref.kind for ref in found.refs]
    assert kinds.count(RefKind.BRANCH) == shown
    assert len(kinds) == min(LIMIT, of + tags)
    assert found.more == (of + tags > LIMIT)


def test_names_that_nobody_could_write_are_left_out():
    made = [Ref(name, RefKind.BRANCH, A) for name in ("-x", "a\u202eb", "ok", "x" * 256)]
    assert names(suggested(made, "-x")) == ["ok"]
    assert suggested(made, "-x").default is None


@pytest.mark.parametrize("name", ["²", "9" * 5000, "٣"])
def test_strange_numbers_are_names(name):
    made = [Ref(each, RefKind.TAG, A) for each in (name, "v1")]
    assert len(suggested(made, None).refs) >= 1
