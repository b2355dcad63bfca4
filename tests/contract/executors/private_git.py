"""A Git host with private repositories, over HTTPS, where builds can reach it."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
from pathlib import Path

from aiohttp import web

from jupyterhub_imagebuilder.providers.gitea import GiteaProvider
from tests.contract.providers.gitweb import GitWeb
from tests.contract.providers.sample import git

TOKEN = "glpat-onlyForTheFetcher0123456789"
WRONG = "glpat-whatWasRevokedLongAgo000000"
LOGIN = f"oauth2:{TOKEN}"


def repository(folder: Path, files: dict[str, str], *, submodule: str = "") -> str:
    """Make a repository; a value that begins with ``->`` is where a link leads.  Its commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for name, content in files.items():
        if content.startswith("->"):
            (folder / name).symlink_to(content[2:])
        else:
            (folder / name).write_text(content)
    git(folder, "add", ".")
    if submodule:
        (folder / ".gitmodules").write_text(
            f'[submodule "other"]\n\tpath = other\n\turl = {submodule}\n'
        )
        git(folder, "add", ".gitmodules")
        other = git(folder.parent / "other", "rev-parse", "HEAD")
        git(folder, "update-index", "--add", "--cacheinfo", f"160000,{other},other")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


class PrivateHost:
    """Wants a login for everything; ``provider`` knows it, and has a token for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "served"
        self.web = GitWeb(self.base)
        self.web.login = LOGIN
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN)
        self.address = ""

    @contextlib.asynccontextmanager
    async def running(self, ip: str):
        tls, self.ca = make_tls(self.folder, ip)
        runner = web.AppRunner(self.web.app)
        await runner.setup()
        await web.TCPSite(runner, ip, 0, ssl_context=tls).start()
        self.address = f"{ip}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def url(self, name: str) -> str:
        return f"https://{self.address}/{name}"

    def provider(self, **settings) -> GiteaProvider:
        options = {
            "hosts": [self.address],
            "allowed_networks": [self.address.rpartition(":")[0]],
            "ca_file": str(self.ca),
            "access_token_file": str(self.token_file),
            "private_repositories": [rf"https://{self.address}/team/.*"],
            **settings,
        }
        return GiteaProvider(**options)

    def asked_with_login(self) -> set[str]:
        """Paths of the repositories that were asked for with a login."""
        return {
            request.path.partition("/info/refs")[0].partition("/git-upload-pack")[0]
            for request in self.web.requests
            if "Authorization" in request.headers
        }


def make_tls(folder: Path, ip: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context for an address, and the certificate to trust."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=private", "-keyout", str(key)),
            *("-addext", f"subjectAltName=IP:{ip}", "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate


def dockerfile(*lines: str) -> str:
    return "\n".join([f"FROM {os.environ['IB_OPEN_REGISTRY']}/base:1", *lines, ""])
