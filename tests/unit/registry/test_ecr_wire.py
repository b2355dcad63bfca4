"""Amazon's registry through the real botocore, with AWS's API on 127.0.0.1.

The protocol is AWS's JSON 1.1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from tests.fakes.registries.aws import Aws, AwsError
from tests.fakes.registries.box import Box
from tests.fakes.registries.dialects import DIALECTS

pytest.importorskip("botocore", reason="the extra ecr is not installed")

HOST = DIALECTS["ecr"].host
OPERATIONS = {
    "GetAuthorizationToken": "get_authorization_token",
    "CreateRepository": "create_repository",
    "BatchDeleteImage": "batch_delete_image",
}


class Endpoint:
    """AWS's API over HTTP, in front of the fake."""

    def __init__(self, aws):
        self.aws = aws
        self.signed = []

    async def answer(self, request):
        self.signed.append(request.headers["Authorization"])
        prefix, _, operation = request.headers["X-Amz-Target"].partition(".")
        assert prefix == "AmazonEC2ContainerRegistry_V20150921"
        try:
            content = getattr(self.aws, OPERATIONS[operation])(**await request.json())
        except AwsError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return _json({"__type": error.response["Error"]["Code"], "message": "no"}, status)
        return _json(content, 200)


def _json(content, status):
    text = json.dumps(content, default=lambda date: date.timestamp())
    return web.Response(text=text, status=status, content_type="application/x-amz-json-1.1")


@pytest.fixture
async def endpoint(clock, monkeypatch, tmp_path):
    box = Box(DIALECTS["ecr"])
    await box.start()
    endpoint = Endpoint(Aws(box, clock))
    app = web.Application()
    app.router.add_post("/", endpoint.answer)
    server = TestServer(app)
    await server.start_server()
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield endpoint
    await server.close()
    await box.stop()


@pytest.fixture
async def client(endpoint, clock):
    client = DistributionRegistry(
        host=HOST, api_host=endpoint.aws.box.address, insecure=True, cloud="aws", clock=clock
    )
    yield client
    await client.close()


async def test_a_repositorys_life(endpoint, client):
    image = ImageName(HOST, DIALECTS["ecr"].repository, "1")
    assert await client.digest(image) is None
    await client.prepare(image)
    endpoint.aws.box.push()
    assert await client.digest(image) == endpoint.aws.box.digest(image)
    await client.remove(image)
    await client.remove(image)
    assert await client.digest(image) is None
    assert all("/eu-central-1/ecr/aws4_request" in proof for proof in endpoint.signed)
    assert "s3cret" not in "".join(endpoint.signed)


async def test_repository_that_is_there_already(endpoint, client):
    endpoint.aws.box.repositories["team/app"] = {}
    await client.prepare(ImageName(HOST, "team/app", "1"))
    assert endpoint.aws.calls == ["create_repository"]


async def test_refusal(endpoint, client):
    endpoint.aws.errors = [AwsError("AccessDeniedException")]
    with pytest.raises(RegistryDenied, match=r"create_repository.*AccessDeniedException"):
        await client.prepare(ImageName(HOST, "team/app", "1"))


async def test_throttling(endpoint, client):
    endpoint.aws.errors = [AwsError("ThrottlingException")] * 20
    with pytest.raises(RegistryUnavailable, match="ThrottlingException"):
        await client.prepare(ImageName(HOST, "team/app", "1"))


async def test_nobody_there(client, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")
    with pytest.raises(RegistryUnavailable, match="AWS cannot be reached"):
        await client.check()


async def test_no_credentials(client, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(RegistryDenied, match="no AWS credentials"):
        await client.check()
