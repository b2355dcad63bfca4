"""This process among others: what ends it, and how long its end may take."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from jupyterhub_imagebuilder.builds.ports import Clock

#: Seconds between two looks at the parent.
_PARENT_INTERVAL = 1.0


def end_on_signals(end: Callable[[str], None]) -> None:
    """Call ``end`` with a reason on SIGINT and SIGTERM.

    A hub that was started with SIGINT ignored hands that down; a handler of our own takes it back.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number.name)


async def parent_gone(clock: Clock, parent: Callable[[], int] = os.getppid) -> None:
    """Return when the process that started this one is gone.

    A service that outlives its hub holds the port, and the next hub takes it for its own.
    """
    first = parent()
    while parent() == first:
        await clock.sleep(_PARENT_INTERVAL)


def exit_within(seconds: float) -> threading.Timer:
    """End the process hard after ``seconds``, whatever a thread of it still waits for.

    :returns: the running timer; cancelling it takes the limit back.
    """
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()
    return timer


def address_from_hub(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """Where a managed service has to listen: the host and port of ``JUPYTERHUB_SERVICE_URL``."""
    url = urlsplit(environment.get("JUPYTERHUB_SERVICE_URL", ""))
    try:
        return (url.hostname, url.port) if url.hostname and url.port else None
    except ValueError:  # a port that is none
        return None
