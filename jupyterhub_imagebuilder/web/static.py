"""The built front end: the files that Vite's manifest names, and no other."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from jupyterhub_imagebuilder.errors import ServiceUnavailable
from jupyterhub_imagebuilder.web.base import Handler

FOLDER = Path(__file__).parent.parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSIBLE = ("text/", "application/json", "image/svg")
#: A name that changes with the file's content, as Vite makes them: ``form-1f970b29.js``.
_HASHED = re.compile(r".*-[0-9A-Za-z_-]{8,}\.\w+")
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class File:
    """A file that is served."""

    content: bytes
    media: str
    compressed: bytes | None  #: by gzip, where that is worth it


@dataclass(frozen=True, slots=True)
class Entry:
    """What a page has to load, by file names."""

    script: str
    styles: tuple[str, ...]


class FrontEnd:
    """The files of a folder that its ``manifest.json`` names (Vite's format).

    The manifest is read again when it has changed; files are kept in memory.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._seen: tuple[int, int] | None = None
        self._manifest: Mapping[str, Any] = {}
        self._files: dict[str, File] = {}

    def entry(self, name: str) -> Entry:
        """What belongs to ``form`` or ``pages``.

        :raises ServiceUnavailable: the front end was not built.
        """
        found = self._now().get(f"src/{name}/main.tsx")
        if found is None:
            raise self._absent()
        return Entry(found["file"], tuple(found.get("css", ())))

    async def file(self, name: str) -> File | None:
        """A file; None where the manifest does not name it.

        :raises ServiceUnavailable: the front end was not built.
        """
        if name not in set(_named(self._now())):
            return None
        if name not in self._files:
            self._files[name] = await asyncio.to_thread(self._read, name)
        return self._files[name]

    def _now(self) -> Mapping[str, Any]:
        path = self._folder / "manifest.json"
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._seen:
                self._manifest, self._files = _read_manifest(path.read_bytes()), {}
                self._seen = stamp
        except (OSError, ValueError) as error:
            raise self._absent() from error
        return self._manifest

    def _read(self, name: str) -> File:
        try:
            content = (self._folder / name).read_bytes()
        except OSError as error:
            raise self._absent() from error
        media = _TYPES.get(Path(name).suffix, "application/octet-stream")
        if not media.startswith(_COMPRESSIBLE):
            return File(content, media, None)
        return File(content, media, gzip.compress(content, mtime=0))

    def _absent(self) -> ServiceUnavailable:
        return ServiceUnavailable(
            "The image builder's front end is not there: this package was installed without it "
            "(`make frontend` builds it)."
        )


def _read_manifest(content: bytes) -> Mapping[str, Any]:
    manifest = json.loads(content)
    if not isinstance(manifest, dict) or not all(
        isinstance(entry, dict) and isinstance(entry.get("file"), str)
        for entry in manifest.values()
    ):
        raise ValueError("this is no manifest of Vite's")
    return manifest


def _named(manifest: Mapping[str, Any]) -> Iterator[str]:
    for entry in manifest.values():
        yield from (entry["file"], *entry.get("css", ()), *entry.get("assets", ()))


class PublicHandler(Handler):
    """Answers with what is no secret: any page may load it, whatever host it is on."""

    def set_default_headers(self) -> None:
        """Open to pages of all origins, which a hub with subdomains needs."""
        super().set_default_headers()
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")

    def send(self, file: File, caching: str) -> None:
        """Answer with a file."""
        self.set_header("Content-Type", file.media)
        self.set_header("Cache-Control", caching)
        content = file.content
        if file.compressed is not None:
            self.set_header("Vary", "Accept-Encoding")
            if "gzip" in self.request.headers.get("Accept-Encoding", ""):
                self.set_header("Content-Encoding", "gzip")
                content = file.compressed
        self.finish(content)


class StaticHandler(PublicHandler):
    """``/static/<file>``; needs no token."""

    async def get(self, name: str) -> None:
        """Send a file, or say which one a name without a hash is now."""
        front_end: FrontEnd = self.settings["front_end"]
        try:
            if name == "form.js":
                self.set_header("Cache-Control", "no-cache")
                self.redirect(f"{self.settings['prefix']}static/{front_end.entry('form').script}")
                return
            file = await front_end.file(name)
        except ServiceUnavailable as error:
            self.clear_header("Location")
            self.answer({"reason": None, "message": error.message}, HTTPStatus.NOT_FOUND)
            return
        if file is None:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.send(file, _YEAR if _HASHED.fullmatch(name) else "no-cache")

    head = get
