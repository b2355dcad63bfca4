"""The metadata server of Google Cloud."""

from __future__ import annotations

import base64

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.google import GoogleCredentials
from tests.fakes.registries.box import Box
from tests.fakes.registries.dialects import DIALECTS

HOST = "europe-docker.pkg.dev"
PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


class Metadata:
    """Answers as https://cloud.google.com/compute/docs/metadata/querying-metadata says."""

    def __init__(self):
        self.asked = 0
        self.status = 200
        self.flavor = "Google"
        self.body = None
        self.expires_in = 3599

    async def answer(self, request):
        self.asked += 1
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403)
        headers = {"Metadata-Flavor": self.flavor}
        if self.body is not None:
            return web.Response(text=self.body, status=self.status, headers=headers)
        token = f"ya29.{self.asked}"
        content = {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"}
        return web.json_response(content, status=self.status, headers=headers)


@pytest.fixture
async def metadata(monkeypatch):
    metadata = Metadata()
    app = web.Application()
    app.router.add_get(PATH, metadata.answer)
    server = TestServer(app)
    await server.start_server()
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.port}")
    yield metadata
    await server.close()


@pytest.fixture
async def source(metadata, clock):
    source = GoogleCredentials(HOST, clock=clock)
    yield source
    await source.close()


async def test_token_is_used_until_a_minute_before_its_end(metadata, source, clock):
    first = Credentials("oauth2accesstoken", "ya29.1")
    assert await source.get() == first
    clock.time += 3538
    assert await source.get() == await source.renew() == first
    assert metadata.asked == 1
    clock.time += 1
    assert await source.get() == Credentials("oauth2accesstoken", "ya29.2")


async def test_token_shows_in_no_repr(source):
    assert "ya29" not in repr(await source.get())


@pytest.mark.parametrize(
    ("status", "flavor", "body"),
    [
        (404, "Google", "no service account"),
        (200, "", None),
        (200, "Google", "<html>"),
        (200, "Google", "[]"),
        (200, "Google", '{"access_token": "", "expires_in": 5}'),
        (200, "Google", '{"access_token": "x"}'),
        (301, "Google", None),
    ],
)
async def test_no_service_account(metadata, source, status, flavor, body):
    metadata.status, metadata.flavor, metadata.body = status, flavor, body
    with pytest.raises(RegistryDenied, match=f"service account.*{HOST}|{HOST}.*service account"):
        await source.get()


async def test_server_that_does_not_answer(metadata, source):
    metadata.status = 503
    with pytest.raises(RegistryUnavailable, match=r"metadata server.*does not answer") as caught:
        await source.get()
    assert isinstance(caught.value.__cause__, RegistryUnavailable)
    metadata.status = 200
    assert (await source.get()).password == "ya29.2"


async def test_look_up_with_the_machines_identity(metadata, clock):
    box = Box(DIALECTS["artifact-registry"])
    await box.start()
    image = box.push()

    def fits(authorization):
        user = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        return user == f"oauth2accesstoken:ya29.{metadata.asked}"

    box._basic_fits = fits
    client = DistributionRegistry(
        host=HOST, api_host=box.address, insecure=True, cloud="google", clock=clock
    )
    try:
        assert await client.digest(image) == box.digest(image)
        assert metadata.asked == 1
        clock.time += 3600
        assert await client.digest(image) == box.digest(image)
        assert metadata.asked == 2
    finally:
        await client.close()
        await box.stop()
