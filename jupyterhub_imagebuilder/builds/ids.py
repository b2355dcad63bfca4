"""Ids of builds; they say whether an image that is there already is to be made again.

An id is all that store and executor keep of a build word for word: so a process that takes a
rebuild over from another one knows that the image it finds may be the old one.
"""

from __future__ import annotations

import uuid

_REBUILD = "rebuild-"


def new_id(*, rebuild: bool = False) -> str:
    """An id that no other build has, at any time."""
    return f"{_REBUILD if rebuild else ''}{uuid.uuid4().hex}"


def is_rebuild(build_id: str) -> bool:
    """Whether the build with that id makes an image although there is one."""
    return build_id.startswith(_REBUILD)
