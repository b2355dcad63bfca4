"""A web server on one address, which all stubs of archives are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar, Self
from urllib.parse import unquote

from aiohttp import web


class ArchiveStub:
    """Answers from ``pages``: path with query, without escapes -> JSON; or as it is told.

    A page that is a callable makes its answer from the stub's own address.
    """

    #: What the host says where there is nothing.
    absent: ClassVar[object] = {"message": "Not Found"}

    def __init__(self) -> None:
        self.url = ""
        self.pages: dict[str, object | Callable[[str], object]] = {}
        self.requests: list[str] = []  #: paths with queries
        self.answer: Callable[[], web.StreamResponse] | None = None  #: to everything

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = unquote(request.path_qs)
        self.requests.append(asked)
        if self.answer is not None:
            return self.answer()
        if asked not in self.pages:
            return web.json_response(self.absent, status=404)
        return self.respond(self.pages[asked])

    def respond(self, page: object) -> web.StreamResponse:
        if callable(page):
            page = page(self.url)
        return page if isinstance(page, web.StreamResponse) else web.json_response(page)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Self]:
        app = web.Application()
        app.router.add_get("/{tail:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
