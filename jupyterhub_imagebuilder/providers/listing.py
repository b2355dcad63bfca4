"""Which of a repository's branches and tags are suggested, and in which order.

Pure functions.  Source: ``git help ls-remote`` (its output with ``--symref``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jupyterhub_imagebuilder.builds.model import Ref, RefKind, Refs
from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.providers.refs import HEAD, check_ref, read_ls_remote

#: Refs that are suggested; of each kind at least half as many, where there are.
LIMIT = 500
#: What ``git ls-remote`` is asked for.
PATTERNS = (HEAD, "refs/heads/*", "refs/tags/*")

_SYMREF = re.compile(r"ref: refs/heads/(\S+)\tHEAD")
_NUMBERS = re.compile(r"(\d+)")
_FOLDERS = (("refs/heads/", RefKind.BRANCH), ("refs/tags/", RefKind.TAG))
_DIGITS = 18


def read_listing(output: str) -> Refs:
    """What ``git ls-remote --symref`` printed, as suggestions."""
    symref, plain = None, []
    for line in output.splitlines():
        if line.startswith("ref: "):
            match = _SYMREF.fullmatch(line)
            symref = match[1] if match else symref
        else:
            plain.append(line)
    listed = read_ls_remote("\n".join(plain))
    refs = [
        Ref(name.removeprefix(folder), kind, commit)
        for name, commit in listed.items()
        for folder, kind in _FOLDERS
        if name.startswith(folder)
    ]
    return suggested(refs, symref)


def suggested(refs: Iterable[Ref], default: str | None) -> Refs:
    """The default branch, the other branches, then tags from the highest version on.

    :param default: its name, as the host says it.
    """
    usable = [ref for ref in refs if _is_usable(ref.name)]
    branches = sorted(
        (ref for ref in usable if ref.kind is RefKind.BRANCH),
        key=lambda ref: (ref.name != default, _natural(ref.name)),
    )
    tags = sorted(
        (ref for ref in usable if ref.kind is RefKind.TAG),
        key=lambda ref: _natural(ref.name),
        reverse=True,
    )
    shown = branches[: max(LIMIT // 2, LIMIT - len(tags))]
    shown += tags[: LIMIT - len(shown)]
    is_there = any(ref.name == default for ref in branches)
    return Refs(tuple(shown), default if is_there else None, len(shown) < len(usable))


def _is_usable(name: str) -> bool:
    """Whether it can be written behind an ``@``; names of others can be anything."""
    try:
        return check_ref(name) == name
    except SpecInvalid:
        return False


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Numbers by their value: ``v1.10`` comes behind ``v1.9``."""
    parts = _NUMBERS.split(name.lower())
    return [
        (0, int(part), "")
        if part.isascii() and part.isdigit() and len(part) <= _DIGITS
        else (1, 0, part)
        for part in parts
        if part
    ]
