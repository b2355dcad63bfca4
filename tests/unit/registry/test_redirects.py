"""Registries that send look-ups elsewhere."""

from __future__ import annotations

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.errors import RegistryUnavailable

from .stub import INDEX
from .tls import certificate


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_followed_without_the_password(start_stub, make_client, status):
    stub, other = await start_stub("basic"), await start_stub()
    image, _ = stub.put()
    _, digest = other.put(media_type=INDEX)
    client = make_client(stub)
    await client.check()  # the password is known to be wanted
    stub.faults, stub.location = [status], f"http://{other.host}/v2/team/app/manifests/1"
    assert await client.digest(image) == digest
    assert stub.seen[-1].authorization
    assert [seen.authorization for seen in other.seen] == [""]


async def test_redirect_within_the_registry_keeps_the_password(start_stub, make_client):
    stub = await start_stub("basic")
    image, _ = stub.put("team/old")
    _, digest = stub.put("team/new", media_type=INDEX)
    client = make_client(stub)
    await client.check()
    stub.faults, stub.location = [308], "../../../team/new/manifests/1"
    assert await client.digest(image) == digest
    assert stub.lines[-1] == "HEAD /v2/team/new/manifests/1"


async def test_login_of_where_a_redirect_leads_is_not_answered(start_stub, make_client):
    stub, other = await start_stub("basic"), await start_stub("bearer")
    image, _ = stub.put()
    stub.faults, stub.location = [307], f"http://{other.host}/v2/team/app/manifests/1"
    with pytest.raises(RegistryUnavailable, match="a login of its own"):
        await make_client(stub).digest(image)
    assert other.token_requests == []


@pytest.mark.parametrize(
    "location",
    ["", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:x@127.0.0.1/", "http://[", "//"],
)
async def test_redirect_that_leads_nowhere(start_stub, make_client, location):
    stub = await start_stub()
    image, _ = stub.put()
    stub.faults, stub.location = [307] * 10, location
    with pytest.raises(RegistryUnavailable, match=r"leads (nowhere|in circles)"):
        await make_client(stub).digest(image)


async def test_redirects_in_circles(start_stub, make_client):
    stub = await start_stub()
    image, _ = stub.put()
    stub.faults, stub.location = [302] * 20, f"http://{stub.host}/v2/team/app/manifests/1"
    with pytest.raises(RegistryUnavailable, match="in circles"):
        await make_client(stub).digest(image)
    assert len(stub.seen) == 6


async def test_redirect_from_tls_to_plain_http_is_refused(start_stub, make_client, tmp_path):
    context, ca_file = certificate(tmp_path)
    stub, other = await start_stub(ssl=context), await start_stub()
    image, _ = stub.put()
    stub.faults, stub.location = [307], f"http://{other.host}/v2/team/app/manifests/1"
    with pytest.raises(RegistryUnavailable, match="leads nowhere"):
        await make_client(stub, insecure=False, ca_file=ca_file).digest(image)
    assert other.seen == []


async def test_deletion_is_not_redirected(start_stub, make_client):
    stub, other = await start_stub(), await start_stub()
    image, _ = stub.put()
    client = make_client(stub)
    digest = await client.digest(image)
    other.put()

    real = stub._manifest
    stub._manifest = lambda request, *rest: (
        web.Response(status=307, headers={"Location": f"http://{other.host}{request.path}"})
        if request.method == "DELETE"
        else real(request, *rest)
    )
    with pytest.raises(RegistryUnavailable, match="307"):
        await client.remove(image)
    assert other.seen == []
    assert await client.digest(image) == digest
