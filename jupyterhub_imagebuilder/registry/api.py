"""The OCI distribution API, as far as images are looked up and deleted.

https://github.com/opencontainers/distribution-spec (end-1, end-3, end-8a and end-9).
"""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import Any

from yarl import URL

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.auth import Authenticated, Request
from jupyterhub_imagebuilder.registry.sizes import image_of, layers_size
from jupyterhub_imagebuilder.registry.tokens import denied
from jupyterhub_imagebuilder.registry.transport import Answer, Transport

#: Whichever of these an engine pushed: a registry calls absent what it may not send.
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
#: Seconds for which "there is a registry at this address" is believed.
_CONFIRMATION = 60.0
#: Tags of one page, and pages, that are read: more builds of one repository are not looked through.
_PAGE, _PAGES = 100, 10

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: RFC 8288, as far as registries use it: ``</v2/name/tags/list?last=x>; rel="next"``.
_NEXT = re.compile(r"<([^<>]*)>\s*;[^,]*\brel=\"?next\"?", re.IGNORECASE)


class DistributionApi:
    """Asks one registry; each method is one try.

    :param host: the registry's name, for the sentences.
    :param base: address of ``/v2/``.
    """

    def __init__(
        self, host: str, base: URL, requests: Authenticated, transport: Transport, clock: Clock
    ) -> None:
        self._host = host
        self._base = base
        self._requests = requests
        self._transport = transport
        self._clock = clock
        self._confirmed = float("-inf")

    async def digest(self, image: ImageName) -> str | None:
        """The digest of the image's manifest (or index), None when there is no such image."""
        answer = await self._manifest("HEAD", image, image.tag)
        if answer.status == HTTPStatus.OK:
            digest = answer.headers.get("Docker-Content-Digest", "")
            if _DIGEST.fullmatch(digest):
                return digest
        if answer.status in (HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED):
            answer = await self._manifest("GET", image, image.tag)
        if answer.status == HTTPStatus.OK:
            return self._hash(answer.body)
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._confirm()
            return None
        if answer.status == HTTPStatus.UNAUTHORIZED:
            # What Docker Hub says of a repository that is not there, if the login as such works.
            await self.check()
            return None
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise RegistryUnavailable(
                f"The registry {self._host} does not take images of the name {image.repository}; "
                "an administrator can choose another image_prefix."
            )
        raise self._unexpected(answer.status)

    async def size(self, image: ImageName, digest: str, platform: str) -> int | None:
        """Bytes of the layers, None when there is no such image, or it does not say."""
        manifest = await self._content(image, digest)
        if manifest is not None and (chosen := image_of(manifest, platform)) is not None:
            if not _DIGEST.fullmatch(chosen):
                raise self._strange()
            manifest = await self._content(image, chosen)
        return None if manifest is None else layers_size(manifest)

    async def check(self) -> None:
        """Return when the registry answers and takes our credentials."""
        answer = await self._requests.send(Request("GET", self._base))
        if answer.status != HTTPStatus.OK:
            raise self._unexpected(answer.status)
        self._confirmed = self._clock.now()

    async def remove(self, image: ImageName) -> None:
        """Delete the tag; gone already is fine.

        Where a registry deletes only whole images, the image goes if this is its only tag.
        """
        digest = await self.digest(image)
        if digest is None or await self._delete(image, image.tag):
            return
        if others := [tag for tag in await self._tags(image) if tag != image.tag]:
            await self._refuse_if_shared(image, digest, others)
        if not await self._delete(image, digest):
            raise RegistryDenied(
                f"The registry {self._host} does not let images be deleted; "
                "please tell the administrator of this hub."
            )

    async def _manifest(self, method: str, image: ImageName, reference: str) -> Answer:
        url = self._url(image, "manifests", reference)
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        return await self._requests.send(Request(method, url, image.repository, headers))

    async def _content(self, image: ImageName, digest: str) -> dict[str, Any] | None:
        """What a manifest, or an index, says; None when there is none."""
        answer = await self._manifest("GET", image, digest)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._unexpected(answer.status)
        return self._read(answer.body)

    async def _delete(self, image: ImageName, reference: str) -> bool:
        """Whether it is gone; False where the registry does not delete what is named like this."""
        answer = await self._manifest("DELETE", image, reference)
        if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT):
            return True
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise RegistryDenied(
                f"The registry {self._host} does not let the image builder delete images; "
                "please tell the administrator of this hub."
            )
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
            # gone meanwhile, or a tag where a digest has to be
            return reference != image.tag and answer.status == HTTPStatus.NOT_FOUND
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return False
        raise self._unexpected(answer.status)

    async def _refuse_if_shared(self, image: ImageName, digest: str, others: list[str]) -> None:
        for tag in others:
            if await self.digest(ImageName(image.registry, image.repository, tag)) == digest:
                raise RegistryDenied(
                    f"The registry {self._host} deletes this image only together with its other "
                    f"tag {tag}, so it stays."
                )

    async def _tags(self, image: ImageName) -> list[str]:
        """All tags of the image's repository, page by page."""
        tags: list[str] = []
        page = self._url(image, "tags", "list").with_query(n=str(_PAGE))
        for _ in range(_PAGES):
            answer = await self._requests.send(Request("GET", page, image.repository))
            if answer.status == HTTPStatus.NOT_FOUND:
                return tags
            if answer.status != HTTPStatus.OK:
                raise self._unexpected(answer.status)
            tags += self._listed(answer.body)
            following = _NEXT.search(", ".join(answer.headers.getall("Link", [])))
            if following is None:
                return tags
            page = self._page(page, following[1])
        raise RegistryDenied(
            f"The registry {self._host} deletes only whole images, and this repository has too "
            "many tags to see whether another one means the same."
        )

    def _page(self, here: URL, link: str) -> URL:
        try:
            there = here.join(URL(link, encoded=True))
        except ValueError:
            there = URL()
        if there.origin() != here.origin() if there.host else True:
            raise self._strange()
        return there

    def _listed(self, body: bytes) -> list[str]:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        tags = (content.get("tags") or []) if isinstance(content, dict) else None
        if not isinstance(tags, list):
            raise self._strange()
        return [tag for tag in tags if isinstance(tag, str)]

    def _url(self, image: ImageName, *parts: str) -> URL:
        return self._base.joinpath(*image.repository.split("/"), *parts)

    async def _confirm(self) -> None:
        """Make sure that "not found" was said by a registry, not by a proxy without one."""
        if self._clock.now() - self._confirmed < _CONFIRMATION:
            return
        answer = await self._transport.send("GET", self._base, headers={})
        if answer.status not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._unexpected(answer.status)
        self._confirmed = self._clock.now()

    def _hash(self, body: bytes) -> str:
        """The digest of a manifest, which is that of its bytes."""
        self._read(body)
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _read(self, body: bytes) -> dict[str, Any]:
        try:
            manifest = json.loads(body)
        except (ValueError, RecursionError):
            manifest = None
        if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:  # noqa: PLR2004
            raise self._strange()
        return manifest

    def _strange(self) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"What answers as the registry {self._host} sends something other than an image; "
            "please tell the administrator of this hub."
        )

    def _unexpected(self, status: int) -> RegistryDenied | RegistryUnavailable:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return denied(self._host)
        return RegistryUnavailable(
            f"What answers as the registry {self._host} does not behave like one ({status}); "
            "please tell the administrator of this hub."
        )
