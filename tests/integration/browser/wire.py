"""What is between a browser and its hub: connections that a test can cut."""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import urlsplit


class Wire:
    """Passes connections on to a hub, in a thread of its own.

    The browser's own "offline" leaves streams alone that have begun.
    """

    def __init__(self, url):
        self._target = urlsplit(url)
        self._whole = True
        self._open = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        self._server = self._in_thread(asyncio.start_server(self._pass_on, "127.0.0.1", 0))
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._target._replace(netloc=f"127.0.0.1:{port}").geturl()
        return self

    def __exit__(self, *exc_info):
        self._in_thread(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self):
        """End all connections, and each new one."""
        self._in_thread(self._set(whole=False))

    def mend(self):
        self._in_thread(self._set(whole=True))

    def _in_thread(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set(self, *, whole):
        self._whole = whole
        for task in [] if whole else [*self._open]:
            task.cancel()

    async def _end(self):
        self._server.close()
        await self._set(whole=False)
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _pass_on(self, reader, writer):
        if not self._whole:
            writer.transport.abort()
            return
        target = self._target
        there, back = await asyncio.open_connection(target.hostname, target.port)
        task = asyncio.gather(_copy(reader, back), _copy(there, writer))
        self._open.add(task)
        try:
            await task
        except (OSError, asyncio.CancelledError):
            # cut, or gone
            pass
        finally:
            self._open.discard(task)
            for each in (writer, back):
                each.transport.abort()


async def _copy(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
