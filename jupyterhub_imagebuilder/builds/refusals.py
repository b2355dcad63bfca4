"""Refusals that only the domain makes."""

from __future__ import annotations

from typing import ClassVar

from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason


class BuildUnderWay(ImageBuilderError):
    """The build is not over, so this cannot be done with it."""

    reason = Reason.STILL_BUILDING
    status: ClassVar[int] = 409
