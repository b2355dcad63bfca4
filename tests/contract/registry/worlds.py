"""The worlds in which the suite runs: each has one image, and ways to reach it or not."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
import os
import secrets
import ssl

import aiohttp
from yarl import URL

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.cache import CachedRegistry
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.tokens import basic
from tests.fakes.clock import InstantClock
from tests.fakes.registries.aws import Aws
from tests.fakes.registries.box import Box
from tests.fakes.registries.dialects import DIALECTS
from tests.fakes.registry import FakeRegistry
from tests.unit.registry.stub import INDEX, OCI, StubRegistry, config_json, manifest

#: A port that nothing listens on: the discard service's.
NOBODY = "127.0.0.1:9"


class FakeWorld:
    """The fake of the unit tests, alone or behind the cache."""

    deletes = True

    def __init__(self, *, cached: bool = False) -> None:
        self.cached = cached
        self.image = ImageName("registry.example.org", "team/app", "1")
        self.digest = "sha256:" + "0" * 64

    size = 1234

    async def start(self) -> None:
        self.fake = FakeRegistry({self.image: self.digest})
        self.fake.sizes[self.digest] = self.size

    async def stop(self) -> None:
        pass

    def registry(self):
        return CachedRegistry(self.fake, clock=InstantClock()) if self.cached else self.fake

    def down(self):
        self.fake.down = RegistryUnavailable("The registry registry.example.org is down.")
        return self.registry()

    def wrong_password(self):
        self.fake.down = RegistryDenied("The registry registry.example.org refuses.")
        return self.registry()


class StubWorld:
    """The real client and a registry of our own making."""

    deletes = True

    def __init__(self, login, media_type=OCI, faults=()) -> None:
        self.stub = StubRegistry(login)
        self.media_type = media_type
        self.faults = faults
        self.clients = []

    async def start(self) -> None:
        await self.stub.start()
        self.image, self.digest = self.stub.put(media_type=self.media_type)

    async def stop(self) -> None:
        for client in self.clients:
            await client.close()
        await self.stub.stop()

    def registry(self):
        self.stub.faults = list(self.faults)
        return self._client(self.stub.host, config_json(self.stub.host))

    def down(self):
        return self._client(NOBODY, None)

    def wrong_password(self):
        self.stub.login = self.stub.login or "basic"
        return self._client(self.stub.host, config_json(self.stub.host, "wrong"))

    def _client(self, host, config):
        async def read():
            return config

        client = DistributionRegistry(
            host=host, insecure=True, read_credentials=read, clock=InstantClock()
        )
        self.clients.append(client)
        return client


class BoxWorld:
    """The real client and a registry in a box."""

    def __init__(self, name, *, cached=False) -> None:
        self.dialect = DIALECTS[name]
        self.box = Box(self.dialect)
        self.cached = cached
        self.closing = []

    @property
    def deletes(self):
        return self.dialect.deletes

    async def start(self) -> None:
        await self.box.start()
        self.image = self.box.push()
        self.digest = self.box.digest(self.image)

    async def stop(self) -> None:
        for closing in reversed(self.closing):
            await closing.close()
        await self.box.stop()

    def same_again(self, tag):
        return self.box.push(tag, self.image.tag)

    def registry(self):
        return self._client(self.box.address, self.box.config_json())

    def down(self):
        return self._client(NOBODY, self.box.config_json())

    def wrong_password(self):
        return self._client(self.box.address, self.box.config_json(wrong=True))

    def _client(self, address, config, **traits):
        async def read():
            return config

        client = DistributionRegistry(
            host=self.dialect.host,
            api_host=address,
            insecure=True,
            read_credentials=read,
            clock=InstantClock(),
            **traits,
        )
        self.closing.append(client)
        if self.cached:
            self.closing.append(client := CachedRegistry(client, clock=InstantClock()))
        return client


class EcrWorld(BoxWorld):
    """Amazon's: AWS's own API has the password, makes repositories and deletes."""

    deletes = True

    def __init__(self) -> None:
        super().__init__("ecr")

    async def start(self) -> None:
        self.aws = Aws(self.box, InstantClock())
        self.box.repositories[self.dialect.repository] = {}
        await super().start()

    def down(self):
        self.aws.errors = [OSError("no route to AWS")] * 10
        return super().down()

    def wrong_password(self):
        client = self.registry()
        self.aws.get_authorization_token = lambda: {
            "authorizationData": [
                {
                    "authorizationToken": base64.b64encode(b"AWS:wrong").decode(),
                    "expiresAt": dt.datetime.max.replace(tzinfo=dt.UTC),
                }
            ]
        }
        return client

    def _client(self, address, config):
        client = super()._client(address, config, cloud="aws")
        client._ecr._connect = lambda name, timeout: self.aws
        return client


class RealWorld:
    """The cluster's registry: TLS with a CA of its own, and a login."""

    deletes = True

    def __init__(self, media_type=OCI) -> None:
        self.host = os.environ["IB_REGISTRY"]
        self.username = os.environ["IB_REGISTRY_USERNAME"]
        self.password = os.environ["IB_REGISTRY_PASSWORD"]
        self.ca_file = os.environ["IB_REGISTRY_CA"]
        self.media_type = media_type
        self.size = None if media_type == INDEX else 0  # it has no layers
        self.image = ImageName(self.host, f"contract-{secrets.token_hex(6)}", "1")
        self.clients = []

    def _session(self) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=self.ca_file)
        return aiohttp.ClientSession(
            headers={"Authorization": basic(Credentials(self.username, self.password))},
            connector=aiohttp.TCPConnector(ssl=context),
            raise_for_status=True,
        )

    async def start(self) -> None:
        async with self._session() as session:
            self.digest = await self._push(session, self.image.tag, self.media_type)

    async def stop(self) -> None:
        for client in self.clients:
            await client.close()
        async with self._session() as session:
            session._raise_for_status = False  # the test may have deleted it
            async with session.delete(self._url("manifests", self.digest)) as answer:
                assert answer.status in (202, 404)

    async def same_again(self, tag):
        """Push the same image under another tag."""
        accept = {"Accept": self.media_type}
        async with self._session() as session:
            async with session.get(self._url("manifests", self.digest), headers=accept) as answer:
                body = await answer.read()
            headers = {"Content-Type": self.media_type}
            async with session.put(self._url("manifests", tag), data=body, headers=headers):
                return dataclasses.replace(self.image, tag=tag)

    def registry(self):
        return self._client(self.host, self.password)

    def down(self):
        return self._client(NOBODY, self.password)

    def wrong_password(self):
        return self._client(self.host, "wrong")

    def _client(self, host, password):
        auth = base64.b64encode(f"{self.username}:{password}".encode()).decode()
        config = json.dumps({"auths": {host: {"auth": auth}}}).encode()

        async def read():
            return config

        client = DistributionRegistry(
            host=host, ca_file=self.ca_file, read_credentials=read, clock=InstantClock()
        )
        self.clients.append(client)
        return client

    async def _push(self, session: aiohttp.ClientSession, tag: str, media_type: str) -> str:
        """Push an image without layers, or an index of none; return its digest."""
        body = manifest(media_type)
        if media_type == INDEX:
            content = {**json.loads(body), "manifests": []}
        else:
            config = {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": 2,
                "digest": await self._upload(session, b"{}"),
            }
            content = {**json.loads(body), "config": config, "layers": []}
        body = json.dumps(content).encode()
        url = self._url("manifests", tag)
        async with session.put(url, data=body, headers={"Content-Type": media_type}):
            return _digest(body)

    async def _upload(self, session: aiohttp.ClientSession, blob: bytes) -> str:
        digest = _digest(blob)
        async with session.post(self._url("blobs", "uploads", "")) as answer:
            place = self._url().join(URL(answer.headers["Location"]))
        headers = {"Content-Type": "application/octet-stream"}
        async with session.put(place.update_query(digest=digest), data=blob, headers=headers):
            return digest

    def _url(self, *parts: str) -> URL:
        base = URL.build(scheme="https", authority=self.host)
        return base.joinpath("v2", self.image.repository, *parts)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
