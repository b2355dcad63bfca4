"""Amazon's registry, with AWS's API as a fake."""

from __future__ import annotations

import importlib

import pytest

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry import ecr
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from jupyterhub_imagebuilder.registry.ecr import EcrHost
from tests.fakes.registries.aws import Aws, AwsError, NoCredentialsError
from tests.fakes.registries.box import Box
from tests.fakes.registries.dialects import DIALECTS

HOST = DIALECTS["ecr"].host


@pytest.fixture
async def box():
    box = Box(DIALECTS["ecr"])
    await box.start()
    yield box
    await box.stop()


@pytest.fixture
def aws(box, clock):
    return Aws(box, clock)


@pytest.fixture
async def client(box, aws, clock):
    client = DistributionRegistry(
        host=HOST,
        api_host=box.address,
        insecure=True,
        cloud="aws",
        ecr_repository={"tags": [{"Key": "team", "Value": "hub"}], "registryId": "other"},
        clock=clock,
    )
    client._ecr._connect = lambda name, timeout: aws
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-central-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
    ],
)
def test_names_of_registries(host, region):
    assert EcrHost.of(host) == EcrHost("123456789012", region)


@pytest.mark.parametrize(
    "host", ["registry.example.org", "public.ecr.aws", f"{HOST}.example.org", f"x{HOST}", ""]
)
def test_names_of_others(host):
    with pytest.raises(RegistryUnavailable, match="not the name of a registry of Amazon"):
        DistributionRegistry(host=host, cloud="aws")


async def test_repository_is_created_before_the_first_push(box, aws, client):
    with pytest.raises(LookupError):
        box.push()
    target = _image(DIALECTS["ecr"].repository)
    assert await client.digest(target) is None
    await client.prepare(target)
    box.push()
    assert await client.digest(target) == box.digest(target)
    # the account is that of the registry's name, whatever else is asked for
    assert aws.arguments == {
        "registryId": "123456789012",
        "tags": [{"Key": "team", "Value": "hub"}],
    }


async def test_repository_is_created_once(box, aws, client):
    for _ in range(3):
        await client.prepare(_image("team/app"))
    assert aws.calls == ["create_repository"]
    box.repositories["team/other"] = {}  # there already, as after a restart
    await client.prepare(_image("team/other"))
    assert list(box.repositories) == ["team/app", "team/other"]


async def test_name_that_no_registry_takes_is_not_created(aws, client):
    await client.prepare(_image("../Team"))
    assert aws.calls == []


async def test_password_is_renewed_half_an_hour_before_its_end(box, aws, client, clock):
    image = await _pushed(box, client)
    await client.digest(image)
    clock.time += 11.5 * 3600 - 1
    await client.digest(image)
    assert aws.calls.count("get_authorization_token") == 1
    clock.time += 1
    assert await client.digest(image) == box.digest(image)
    assert aws.calls.count("get_authorization_token") == 2


async def test_password_is_used_to_its_end_while_aws_is_away(box, aws, client, clock):
    image = await _pushed(box, client)
    await client.digest(image)
    clock.time += 11.5 * 3600
    aws.errors = [OSError("away")] * 20
    assert await client.digest(image) == box.digest(image)
    clock.time += 0.5 * 3600
    with pytest.raises(RegistryUnavailable, match="AWS cannot be reached"):
        await client.digest(image)


async def test_password_that_ended_early_is_renewed_in_the_same_look_up(box, aws, client, clock):
    image = await _pushed(box, client)
    await client.digest(image)
    box.expired = True  # as ECR says it: 403
    with pytest.raises(RegistryDenied):  # asked less than a minute ago
        await client.digest(image)
    clock.time += 60
    assert await client.digest(image) == box.digest(image)
    assert aws.calls.count("get_authorization_token") == 2


async def test_deleted_tag(box, aws, client):
    image = await _pushed(box, client)
    await client.remove(image)
    await client.remove(image)
    assert await client.digest(image) is None
    assert not [line for line in box.lines if line.startswith("DELETE")]


async def test_tag_that_is_not_deleted(box, aws, client):
    image = await _pushed(box, client)
    aws.failures = [{"failureCode": "ImageReferencedByManifestList"}]
    with pytest.raises(RegistryDenied, match="ImageReferencedByManifestList"):
        await client.remove(image)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (AwsError("AccessDeniedException"), RegistryDenied, "does not allow.*AccessDenied"),
        (AwsError("ExpiredTokenException"), RegistryDenied, "ExpiredToken"),
        (NoCredentialsError(), RegistryDenied, "no AWS credentials"),
        (AwsError("ThrottlingException"), RegistryUnavailable, "error"),
        (AwsError("Whatever", 503), RegistryUnavailable, "error"),
        (OSError("s3cret"), RegistryUnavailable, "cannot be reached"),
    ],
)
async def test_aws_that_refuses_or_fails(aws, client, error, kind, words):
    aws.errors = [error] * 9
    with pytest.raises(kind, match=words) as caught:
        await client.prepare(_image("team/app"))
    assert caught.value.__cause__ is error
    assert "s3cret" not in caught.value.message
    assert aws.calls == ["create_repository"] * (3 if kind is RegistryUnavailable else 1)


async def test_failure_that_passes(aws, client):
    aws.errors = [AwsError("ServerException", 500), OSError("away")]
    await client.prepare(_image("team/app"))
    assert aws.calls == ["create_repository"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"authorizationData": []},
        {"authorizationData": [{"authorizationToken": "s3cret!", "expiresAt": 5}]},
        {"authorizationData": [{"authorizationToken": "QVdTOng="}]},
    ],
)
async def test_answer_without_a_password(aws, client, answer):
    aws.get_authorization_token = lambda: answer
    with pytest.raises(RegistryUnavailable, match="without a password") as caught:
        await client.check()
    assert "s3cret" not in repr(caught.value.__cause__) + caught.value.message


async def test_extra_that_is_not_installed(client, clock, monkeypatch):
    monkeypatch.setattr(client._ecr, "_connect", ecr._connected)
    monkeypatch.setattr(importlib, "import_module", _no_module)
    with pytest.raises(RegistryDenied, match=r"jupyterhub-imagebuilder\[ecr\]"):
        await client.check()
    assert clock.slept == []


async def test_connections_are_closed(aws, client):
    await client.check()
    await client.close()
    assert aws.closed


def _no_module(name):
    raise ModuleNotFoundError(name)


def _image(repository):
    return ImageName(HOST, repository, "1")


async def _pushed(box, client):
    await client.prepare(_image(DIALECTS["ecr"].repository))
    return box.push()
