"""How talking to Kubernetes, or to a container engine, fails."""

from __future__ import annotations

from jupyterhub_imagebuilder.errors import ExecutorUnavailable


class ApiError(ExecutorUnavailable):
    """What carries out builds refused, or did not answer.

    :param code: HTTP status of the answer; None when there was none.
    :param words: its own message, for an admin.
    """

    def __init__(self, message: str, code: int | None = None, words: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.words = words
