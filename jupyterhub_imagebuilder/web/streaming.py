"""A handler whose response is an event stream."""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncGenerator

from jupyterhub_imagebuilder.web.base import Handler
from jupyterhub_imagebuilder.web.sse import HEADERS, EventStream, Frame


class StreamingHandler(Handler):
    """Sends frames for as long as the client listens."""

    _stream: EventStream | None = None

    async def stream(
        self, frames: AsyncGenerator[Frame, None], farewell: Frame | None = None
    ) -> None:
        """Answer with these frames; returns when they end or the client is gone.

        :param farewell: the last frame where the service stops before they end.
        """
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self._stream = self.backend.streams.open(self._send, farewell, self.finish)
        try:
            await self._stream.run(frames)
        finally:
            self.backend.streams.forget(self._stream)

    def on_connection_close(self) -> None:
        """Stop looking: the client is gone."""
        if self._stream is not None:
            self._stream.close()

    def _send(self, data: bytes) -> Future[None]:
        self.write(data)
        sent: Future[None] = self.flush()
        return sent
