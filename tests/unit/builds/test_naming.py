from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.builds import naming
from tests.unit.builds.records import COMMIT, resolved

PREFIX = "registry.example.org:5000/team/hub-"


def names(repository, commit=COMMIT, settings=None, platform="linux/amd64"):
    what = resolved(repository=repository, commit=commit)
    key = naming.build_key(what, settings or {}, platform)
    image = naming.image_name(what, key, PREFIX)
    return key, str(image), naming.build_name(what, key)


def test_names_are_stable_and_readable():
    key, image, build = names("https://github.com/org/repo")
    assert key == names("https://github.com/org/repo")[0]
    assert re.fullmatch(
        rf"registry\.example\.org:5000/team/hub-org-repo-[0-9a-f]{{12}}:{COMMIT}-{key[:12]}", image
    )
    assert build == f"build-org-repo-{key[:20]}"


@pytest.mark.parametrize(
    "other",
    [
        {"repository": "https://gitlab.com/org/repo"},
        {"repository": "https://github.com/org-repo/x"},
        {"repository": "https://github.com/org/repo", "commit": "f" * 40},
        {"repository": "https://github.com/org/repo", "settings": {"build_image": "2"}},
        {"repository": "https://github.com/org/repo", "platform": "linux/arm64"},
    ],
)
def test_whatever_changes_the_image_changes_every_name(other):
    ours, theirs = names("https://github.com/org/repo"), names(**other)
    assert all(a != b for a, b in zip(ours, theirs, strict=True))


def test_the_same_ref_under_another_name_is_the_same_build():
    by_branch = resolved(ref="main")
    by_tag = resolved(ref="v1")
    assert naming.build_key(by_branch, {}, "p") == naming.build_key(by_tag, {}, "p")


@given(st.text(min_size=1, max_size=400), st.text(min_size=1, max_size=100))
def test_names_are_valid_for_any_repository(path, commit):
    _, image, build = names(f"https://example.org/{path}", commit)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", build)
    assert len(build) <= 63
    host, _, rest = image.partition("/")
    repository, _, tag = rest.rpartition(":")
    assert host == "registry.example.org:5000"
    # the grammar of the distribution specification
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    assert re.fullmatch(rf"{part}(/{part})*", repository)
    assert len(repository) + len(host) < 255
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", tag)


@pytest.mark.parametrize(
    ("prefix", "parts"),
    [
        ("registry.example.org/team/", ("registry.example.org", "team/")),
        ("localhost/x-", ("localhost", "x-")),
        ("10.85.0.1:5000/ib/", ("10.85.0.1:5000", "ib/")),
        ("team/hub-", ("", "team/hub-")),
        ("hub-", ("", "hub-")),
    ],
)
def test_an_image_prefix_is_split_as_docker_does(prefix, parts):
    assert naming.split_prefix(prefix) == parts
