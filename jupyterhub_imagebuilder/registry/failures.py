"""Failures of a registry that may be over in a moment."""

from __future__ import annotations

from jupyterhub_imagebuilder.errors import RegistryUnavailable


class Transient(RegistryUnavailable):
    """A failure that may be over in a moment: worth another try."""


class Busy(Transient):
    """The registry takes no more requests for now.

    :param wait: seconds for which it said so; 0: it did not say.
    """

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait
