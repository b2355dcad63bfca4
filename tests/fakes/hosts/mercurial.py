"""A Mercurial server with one repository.

Form of the answers: ``hg help internals.wireprotocol``, "HTTP Transport", ``lookup`` and
``branchmap``.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from tests.fakes.hosts.archive import ArchiveStub

NODES = {"default": "a" * 40, "tip": "b" * 40, "v1.0": "c" * 40, "feature/x y": "d" * 40}


class MercurialStub(ArchiveStub):
    """Knows the names in ``nodes``."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = dict(NODES)
        self.branches = {name: NODES[name] for name in ("feature/x y", "default")}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.answer is not None:
            return self.answer()
        if request.path != "/org/repo":
            return web.Response(status=404, text="<html>not found</html>")
        if request.query["cmd"] == "branchmap":
            lines = [f"{quote(name)} {'0' * 40} {node}\n" for name, node in self.branches.items()]
            return web.Response(text="".join(lines), content_type="application/mercurial-0.1")
        key = request.query["key"]
        assert request.rel_url.raw_query_string == f"cmd=lookup&key={quote(key, safe='')}"
        node = self.nodes.get(key)
        said = f"0 unknown revision '{key}'\n" if node is None else f"1 {node}\n"
        return web.Response(text=said, content_type="application/mercurial-0.1")
