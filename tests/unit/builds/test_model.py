from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.model import RepoSpec, ResolvedRef

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("provider", "ref", "spec", "expected"),
    [
        ("gh", "main", "org/repo/main", f"build:gh/org/repo/{COMMIT}"),
        ("gh", "feature/x", "org/repo/feature/x", f"build:gh/org/repo/{COMMIT}"),
        ("gl", "a#b", "group%2Frepo/a%23b", f"build:gl/group%2Frepo/{COMMIT}"),
        ("gh", COMMIT, f"org/repo/{COMMIT}", f"build:gh/org/repo/{COMMIT}"),
        # what is archived has no refs, or keeps them in a form of its own
        ("zenodo", "", "10.5281/zenodo.3242074", "build:zenodo/10.5281/zenodo.3242074"),
        (
            "dataverse",
            "v2",
            "10.7910%2FDVN%3Fversion=2",
            "build:dataverse/10.7910%2FDVN%3Fversion=2",
        ),
    ],
)
def test_a_commit_can_be_written(provider, ref, spec, expected):
    resolved = ResolvedRef(RepoSpec(provider, "https://h/x", ref, spec), COMMIT)
    assert resolved.pinned == expected
