"""Waiting for something that the cluster does, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    check: Callable[[], T | None], *, what: str, seconds: float = 60, every: float = 0.2
) -> T:
    """The first result of ``check`` that is true.

    An exception of ``check`` counts as "not yet", and is told when time is up.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = check()
        except Exception as e:  # noqa: BLE001
            last = e
        else:
            if found:
                return found
            last = found
        time.sleep(every)
    message = f"{what} did not happen within {seconds} s; last seen: {last!r}"
    raise TimeoutError(message)
