"""A repository with everything that a ref can be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


class Sample(NamedTuple):
    """A repository, served by git."""

    folder: Path
    commits: dict[str, str]  #: of each ref
    old: str  #: a commit that is the tip of nothing
    request: str  #: head of the pull, and merge, request 12


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    (folder / "file").write_text(message)
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_sample(folder: Path, *options: str) -> Sample:
    """One repository with everything that a ref can be."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    light = commit(folder, "1")
    git(folder, "tag", "light")
    annotated = commit(folder, "2")
    git(folder, "tag", "-a", "-m", "x", "v1.0")
    git(folder, "branch", "feature/x")
    old = commit(folder, "3")
    both_tag = commit(folder, "4")
    git(folder, "tag", "both")
    # a branch whose name could be that of a commit, and is the start of none
    git(folder, "branch", "dec0de0", light)
    main = commit(folder, "5")
    git(folder, "branch", "both")
    git(folder, "checkout", "-q", "--detach")
    request = commit(folder, "6")
    for name in ("pull", "merge-requests"):
        git(folder, "update-ref", f"refs/{name}/12/head", request)
    git(folder, "checkout", "-q", "main")
    commits = {
        "HEAD": main,
        "main": main,
        "light": light,
        "v1.0": annotated,
        "feature/x": annotated,
        "both": both_tag,
        "dec0de0": light,
    }
    return Sample(folder, commits, old, request)
