from __future__ import annotations

import asyncio
import ssl

import pytest
from traitlets.config import Config

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable, ServiceUnavailable
from jupyterhub_imagebuilder.registry.client import MANIFEST_TYPES, DistributionRegistry

from .stub import config_json
from .tls import certificate


@pytest.mark.parametrize("media_type", MANIFEST_TYPES)
async def test_manifest_of_every_type_is_one_head_request(start_stub, make_client, media_type):
    stub = await start_stub()
    image, digest = stub.put(media_type=media_type)
    assert await make_client(stub).digest(image) == digest
    assert stub.lines == ["HEAD /v2/team/app/manifests/1"]


async def test_absent_image(start_stub, make_client):
    stub = await start_stub()
    client = make_client(stub)
    assert await client.digest(ImageName(stub.host, "team/app", "1")) is None
    assert await client.digest(ImageName(stub.host, "team/app", "2")) is None
    # That there is a registry at all is asked once.
    assert stub.lines == [
        "HEAD /v2/team/app/manifests/1",
        "GET /v2/",
        "HEAD /v2/team/app/manifests/2",
    ]


@pytest.mark.parametrize("status", [404, 301])
async def test_not_found_of_something_that_is_no_registry(start_stub, make_client, status, clock):
    stub = await start_stub()
    stub.root_fault = status
    with pytest.raises(RegistryUnavailable, match=f"{stub.host} does not behave like one"):
        await make_client(stub).digest(ImageName(stub.host, "team/app", "1"))
    assert clock.slept == []


@pytest.mark.parametrize("status", [401, 403])
async def test_registry_that_answers_nobody_at_its_root_is_one(start_stub, make_client, status):
    stub = await start_stub()
    stub.root_fault = status
    assert await make_client(stub).digest(ImageName(stub.host, "team/app", "1")) is None


@pytest.mark.parametrize("header", [None, "sha256:short", "sha512:" + "0" * 128, "SHA256:x\t"])
async def test_digest_of_the_bytes_where_the_header_does_not_say(start_stub, make_client, header):
    stub = await start_stub("bearer")
    stub.digest_header = header
    image, digest = stub.put()
    assert await make_client(stub).digest(image) == digest
    assert stub.lines[-1] == "GET /v2/team/app/manifests/1"


async def test_get_where_head_is_not_allowed(start_stub, make_client):
    stub = await start_stub()
    stub.head_allowed = False
    image, digest = stub.put()
    assert await make_client(stub).digest(image) == digest


async def test_something_else_is_not_taken_for_an_image(start_stub, make_client):
    stub = await start_stub()
    stub.digest_header = None
    image, _ = stub.put()
    stub.manifests["team/app", "1"] = (MANIFEST_TYPES[0], b"<html>Log in to the WiFi</html>")
    with pytest.raises(RegistryUnavailable, match="other than an image"):
        await make_client(stub).digest(image)


async def test_too_much_is_not_read(start_stub, make_client):
    stub = await start_stub()
    stub.digest_header = None
    image, _ = stub.put()
    stub.manifests["team/app", "1"] = (MANIFEST_TYPES[0], b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(RegistryUnavailable, match="more than a manifest"):
        await make_client(stub).digest(image)


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        ("Team/App", "1"),
        ("../x", "1"),
        ("a//b", "1"),
        ("a", ""),
        ("a", "-x"),
        ("a", "1/2"),
        ("", "1"),
    ],
)
async def test_name_that_no_registry_takes_is_not_asked_for(
    start_stub, make_client, repository, tag
):
    stub = await start_stub()
    assert await make_client(stub).digest(ImageName(stub.host, repository, tag)) is None
    assert stub.seen == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_two_more_tries(start_stub, make_client, clock, status):
    stub = await start_stub()
    image, digest = stub.put()
    stub.faults = [status, status]
    assert await make_client(stub).digest(image) == digest
    assert len(clock.slept) == 2
    assert clock.slept[0] < clock.slept[1]
    assert sum(clock.slept) <= 3


async def test_no_fourth_try(start_stub, make_client, clock):
    stub = await start_stub()
    image, _ = stub.put()
    stub.faults = [503] * 10
    with pytest.raises(RegistryUnavailable, match=r"has an error \(503\)") as caught:
        await make_client(stub).digest(image)
    assert stub.host in caught.value.message
    assert len(stub.seen) == 3


async def test_pauses_differ(start_stub, make_client, clock):
    stub = await start_stub()
    image, _ = stub.put()
    client = make_client(stub)
    for _ in range(3):
        stub.faults = [503]
        await client.digest(image)
    assert len(set(clock.slept)) == 3


async def test_nobody_listens(start_stub, make_client, clock):
    stub = await start_stub()
    await stub.server.close()
    with pytest.raises(RegistryUnavailable, match="cannot be reached") as caught:
        await make_client(stub).check()
    assert isinstance(caught.value.__cause__, OSError)
    assert len(clock.slept) == 2


async def test_no_answer_in_time(start_stub, make_client, clock):
    stub = await start_stub()
    stub.hold = asyncio.Event()
    with pytest.raises(RegistryUnavailable, match="in time"):
        await make_client(stub, timeout=0.01).check()
    assert len(clock.slept) == 2


async def test_name_that_the_registry_refuses(start_stub, make_client):
    stub = await start_stub()
    image, _ = stub.put()
    stub.faults = [400]
    with pytest.raises(RegistryUnavailable, match=r"team/app.*image_prefix"):
        await make_client(stub).digest(image)


async def test_forbidden(start_stub, make_client):
    stub = await start_stub()
    image, _ = stub.put()
    stub.faults = [403]
    with pytest.raises(RegistryDenied, match=stub.host):
        await make_client(stub).digest(image)


async def test_docker_hub_says_401_of_an_absent_repository(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.hides_absent = True
    present, digest = stub.put()
    client = make_client(stub)
    absent = ImageName(stub.host, "team/absent", "1")
    assert await client.digest(absent) is None
    assert stub.lines[-1] == "GET /v2/"
    assert await client.digest(absent) is None
    assert await client.digest(present) == digest


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, RegistryDenied), (404, RegistryUnavailable), (503, RegistryUnavailable)],
)
async def test_401_is_no_absence_where_the_login_as_such_fails(
    start_stub, make_client, status, error
):
    stub = await start_stub("bearer")
    stub.hides_absent, stub.root_fault = True, status
    with pytest.raises(error, match=stub.host):
        await make_client(stub).digest(ImageName(stub.host, "team/absent", "1"))


async def test_401_for_a_token_that_is_not_valid_is_no_absence(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.challenge = f'Bearer realm="http://{stub.host}/token",scope="x",error="invalid_token"'
    with pytest.raises(RegistryDenied, match="refuses"):
        await make_client(stub).digest(ImageName(stub.host, "team/absent", "1"))


async def test_401_is_no_absence_without_credentials(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.hides_absent = True
    stub._basic_fits = lambda authorization: True  # anonymous tokens are granted
    with pytest.raises(RegistryDenied, match="asks for a password"):
        await make_client(stub, None).digest(ImageName(stub.host, "team/private", "1"))
    assert stub.token_requests[0].authorization == ""


async def test_check(start_stub, make_client):
    stub = await start_stub("bearer")
    client = make_client(stub)
    assert await client.check() is None
    stub.tokens.clear()
    stub.faults = [404]
    with pytest.raises(RegistryUnavailable, match="does not behave like one"):
        await client.check()


async def test_connection_is_kept(start_stub, make_client):
    stub = await start_stub()
    image, _ = stub.put()
    client = make_client(stub)
    await client.digest(image)
    session = client._transport._session
    await client.digest(image)
    assert client._transport._session is session
    await client.close()
    assert session.closed
    with pytest.raises(RegistryUnavailable, match="shutting down"):
        await client.digest(image)


async def test_close_ends_a_login_under_way(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.token_hold = asyncio.Event()
    client = make_client(stub)
    check = asyncio.create_task(client.check())
    await stub.token_arrived.wait()
    await client.close()
    with pytest.raises(ServiceUnavailable, match="stopping"):
        await check


async def test_cancelled_look_up_is_cancelled(start_stub, make_client):
    stub = await start_stub()
    stub.hold = asyncio.Event()
    check = asyncio.create_task(make_client(stub).check())
    await stub.arrived.wait()
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check


async def test_configuration():
    config = Config()
    config.DistributionRegistry.timeout = 3
    config.DistributionRegistry.api_host = "registry.internal:5000"
    client = DistributionRegistry(host="localhost:30500", config=config)
    assert client.timeout == 3
    assert str(client._base) == "https://registry.internal:5000/v2/"
    assert str(DistributionRegistry(host="docker.io")._base) == "https://registry-1.docker.io/v2/"


def test_host_that_is_none():
    with pytest.raises(RegistryUnavailable, match="not the name of a registry's host"):
        DistributionRegistry(host="registry:port")


async def test_api_host_keeps_the_credentials_of_the_host(start_stub, make_client):
    stub = await start_stub("basic")
    image, digest = stub.put()
    client = make_client(
        stub,
        config_json("registry.example.org"),
        host="registry.example.org",
        api_host=stub.host,
    )
    assert await client.digest(image) == digest


async def test_tls(start_stub, make_client, tmp_path, clock):
    context, ca_file = certificate(tmp_path)
    stub = await start_stub("basic", ssl=context)
    image, digest = stub.put()
    assert await make_client(stub, insecure=False, ca_file=ca_file).digest(image) == digest
    with pytest.raises(RegistryUnavailable, match="ca_file") as caught:
        await make_client(stub, insecure=False).digest(image)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert clock.slept == []


async def test_http_where_tls_is_expected(start_stub, make_client):
    stub = await start_stub()
    with pytest.raises(RegistryUnavailable, match="does not answer in TLS"):
        await make_client(stub, insecure=False).check()
    assert stub.seen == []


@pytest.mark.parametrize("content", [None, "nonsense"])
async def test_ca_file_that_is_none(start_stub, make_client, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    stub = await start_stub()
    with pytest.raises(RegistryUnavailable, match=r"ca\.pem cannot be read"):
        await make_client(stub, insecure=False, ca_file=str(path)).check()


async def test_plain_realm_of_a_tls_registry_gets_no_credentials(start_stub, make_client, tmp_path):
    context, ca_file = certificate(tmp_path)
    stub = await start_stub("bearer", ssl=context)  # its realm says http://
    with pytest.raises(RegistryDenied, match="cannot safely be sent"):
        await make_client(stub, insecure=False, ca_file=ca_file).check()
