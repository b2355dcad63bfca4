"""Refs: which texts can be one, and which of a repository's refs a text means.

Pure functions.  Sources: ``git help check-ref-format``, ``git help revisions`` (the order in which
a name is looked up), ``git help ls-remote`` (its output).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from jupyterhub_imagebuilder.errors import SpecInvalid

#: The default branch.
HEAD = "HEAD"

_MAX_LENGTH = 255
#: Folders that a page's address is searched for its branch through.
_MAX_SHORTER = 8
_FORBIDDEN = re.compile(r"\.\.|//|@\{|[ ~^:?*\[\\]|\.lock(?:/|$)|(?:^|/)\.|^[-/]|[./]$|^@$")
_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\t(\S+)")
_PEELED = "^{}"
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_ABBREVIATED = re.compile(r"[0-9a-f]{7,63}", re.IGNORECASE)


def check_ref(ref: str) -> str:
    """Return the ref when git could have one of that name.

    :raises SpecInvalid: it could not.
    """
    if not ref or len(ref) > _MAX_LENGTH or not ref.isprintable() or _FORBIDDEN.search(ref):
        raise SpecInvalid(
            "What stands for the ref cannot be the name of a branch or tag, nor a commit."
        )
    return ref


def quote_ref(ref: str) -> str:
    """The ref as the last part of a spec: usual ones stay readable."""
    return quote(ref, safe="/@+=,")


def unquote_ref(text: str) -> str:
    """Undo :func:`quote_ref`; clients may escape more, or nothing.

    :raises SpecInvalid: the result is no ref.
    """
    return check_ref(unquote(text))


def is_full_commit(ref: str) -> bool:
    """Whether the ref can be a whole commit id (SHA-1 or SHA-256)."""
    return _FULL.fullmatch(ref) is not None


def is_abbreviated_commit(ref: str) -> bool:
    """Whether the ref can be the first digits of a commit id."""
    return _ABBREVIATED.fullmatch(ref) is not None and not is_full_commit(ref)


def ref_names(ref: str) -> list[str]:
    """Full names that the ref can stand for, in the order in which git tries them."""
    exact = [ref] if ref == HEAD or ref.startswith("refs/") else []
    return [*exact, f"refs/{ref}", f"refs/tags/{ref}", f"refs/heads/{ref}"]


def patterns_for(ref: str) -> list[str]:
    """What to ask ``git ls-remote`` for; commits can be the tip of any branch or tag."""
    if is_full_commit(ref) or is_abbreviated_commit(ref):
        return [HEAD, "refs/heads/*", "refs/tags/*"]
    names = [name for each in (ref, *_shorter(ref)) for name in ref_names(each)]
    return [pattern for name in names for pattern in (name, f"{name}{_PEELED}")]


def read_ls_remote(output: str) -> dict[str, str]:
    """Full names of refs with their commits; an annotated tag has the commit that it tags."""
    listed = {name: commit for commit, name in _LINE.findall(output)}
    peeled = {
        name.removesuffix(_PEELED): commit
        for name, commit in listed.items()
        if name.endswith(_PEELED)
    }
    plain = {name: commit for name, commit in listed.items() if not name.endswith(_PEELED)}
    return plain | peeled


def commit_of(ref: str, refs: Mapping[str, str]) -> str | None:
    """The commit that a branch or tag means; None when it is none of the refs."""
    return next((refs[name] for name in ref_names(ref) if name in refs), None)


def shorter_ref(ref: str, refs: Mapping[str, str]) -> str | None:
    """The ref without what may be the path of a folder behind it, if the repository has that one.

    No repository has branches ``a`` and ``a/b``: at most one is found.
    """
    return next((each for each in _shorter(ref) if commit_of(each, refs) is not None), None)


def _shorter(ref: str) -> list[str]:
    parts = ref.split("/")
    if parts[0] == "refs":
        return []
    return ["/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)][:_MAX_SHORTER]


def commits_with_prefix(prefix: str, refs: Mapping[str, str]) -> set[str]:
    """Commits among the tips that start with these digits."""
    start = prefix.lower()
    return {commit for commit in refs.values() if commit.startswith(start)}
