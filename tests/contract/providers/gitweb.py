"""A Git server over HTTP and HTTPS on 127.0.0.1: git's own ``git http-backend`` behind aiohttp.

Web APIs stand beside it.  It can want a login, and send elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from pathlib import Path

from aiohttp import web

from .sample import ENVIRONMENT


class GitWeb:
    """Serves ``base``; ``requests`` are those that it got."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.requests: list[web.Request] = []
        self.login: str | None = None  #: ``user:password`` that it wants
        self.moved: dict[str, str] = {}  #: path of a repository -> where it sends
        self.app = web.Application(client_max_size=10_000_000)
        self.app.router.add_route("*", "/{tail:.*}", self.handle)
        self.apis: dict[str, object] = {}  #: start of a path -> what handles it
        self.port = 0

    async def start(self, tls: ssl.SSLContext | None = None) -> web.AppRunner:
        runner = web.AppRunner(self.app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = runner.addresses[0][1]
        return runner

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        for start, api in self.apis.items():
            if request.path.startswith(start):
                return await api.handle(request)
        repository, slash, rest = request.path.partition("/info/refs")
        if slash and repository in self.moved:
            where = f"{self.moved[repository]}{slash}{rest}?{request.query_string}"
            return web.Response(status=301, headers={"Location": where})
        if self.login is not None and request.headers.get("Authorization") != basic(self.login):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return await self._backend(request)

    async def _backend(self, request: web.Request) -> web.Response:
        body = await request.read()
        environment = ENVIRONMENT | {
            "GIT_PROJECT_ROOT": str(self.base),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        output, _ = await process.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for ``localhost``, and the certificate to trust."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate
