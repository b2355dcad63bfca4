"""A stream that may hang is left, once there is nothing worth waiting for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.apierror import ApiError
from jupyterhub_imagebuilder.executors.waiting import first


async def unless_stalled(
    chunks: AsyncGenerator[bytes, None], over: asyncio.Event, seconds: float, clock: Clock
) -> AsyncGenerator[bytes, None]:
    """Pass a stream on.

    :param over: set when nothing will be written any more; until then silence is nothing unusual.
    :param seconds: how long nothing may come from then on: the connection may be half open.
    :raises ApiError: nothing came for so long.
    """
    ended: asyncio.Future[bool] = asyncio.ensure_future(over.wait())
    coming: asyncio.Future[bytes | None] | None = None
    try:
        async with contextlib.aclosing(chunks):
            try:
                while True:
                    coming = asyncio.ensure_future(anext(chunks, None))
                    await asyncio.wait((coming, ended), return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        await first(clock, seconds, asyncio.wait((coming,)))
                    if not coming.done():
                        raise ApiError("A log's stream stood still.")
                    chunk = coming.result()
                    if chunk is None:
                        return
                    yield chunk
            finally:
                # a generator can be closed only when nobody waits for its next item
                await _cancel(coming)
    finally:
        await _cancel(ended)


async def _cancel(future: asyncio.Future[Any] | None) -> None:
    if future is not None:
        future.cancel()
        await asyncio.gather(future, return_exceptions=True)
