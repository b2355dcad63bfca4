"""Logins, seen from the registry's side."""

from __future__ import annotations

import asyncio
import base64
import json
from types import SimpleNamespace

import pytest

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable

from .stub import PASSWORD, USER, config_json

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


async def test_open_registry_sees_no_credentials(start_stub, make_client):
    stub = await start_stub()
    image, digest = stub.put()
    assert await make_client(stub).digest(image) == digest
    assert [seen.authorization for seen in stub.seen] == [""]


async def test_basic_is_sent_when_asked_and_then_at_once(start_stub, make_client):
    stub = await start_stub("basic")
    image, digest = stub.put()
    client = make_client(stub)
    assert await client.digest(image) == digest
    assert await client.digest(image) == digest
    assert [seen.authorization for seen in stub.seen] == ["", BASIC, BASIC]


async def test_wrong_password_is_sent_once_per_look_up(start_stub, make_client):
    stub = await start_stub("basic")
    image, _ = stub.put()
    client = make_client(stub, config_json(stub.host, "wrong"))
    for _ in range(2):
        with pytest.raises(RegistryDenied, match="refuses") as caught:
            await client.digest(image)
        assert stub.host in caught.value.message
        assert f"{USER}:" not in caught.value.message
        assert "wrong" not in caught.value.message
    assert [bool(seen.authorization) for seen in stub.seen] == [False, True, True]


@pytest.mark.parametrize("config", [None, b'{"auths": {}}'])
async def test_basic_without_credentials(start_stub, make_client, config):
    stub = await start_stub("basic")
    with pytest.raises(RegistryDenied, match="asks for a password"):
        await make_client(stub, config).check()


async def test_bearer(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    client = make_client(stub)
    assert await client.digest(image) == digest
    [asked] = stub.token_requests
    assert (asked.method, asked.authorization) == ("GET", BASIC)
    assert asked.query == [("service", "stub"), ("scope", "repository:team/app:pull")]
    assert [seen.authorization for seen in stub.seen] == ["", "Bearer token-1"]


async def test_accept_is_sent_with_the_token_too(start_stub, make_client):
    stub = await start_stub("bearer")
    image, _ = stub.put()
    await make_client(stub).digest(image)
    assert len({seen.accept for seen in stub.seen}) == 1
    assert stub.seen[0].accept.count("application/vnd.") == 4


async def test_token_is_used_until_shortly_before_its_end(start_stub, make_client, clock):
    stub = await start_stub("bearer")
    image, _ = stub.put()
    client = make_client(stub)
    await client.digest(image)
    clock.time += 289
    await client.digest(image)
    assert len(stub.token_requests) == 1
    clock.time += 1
    await client.digest(image)
    assert len(stub.token_requests) == 2
    # The challenge is remembered: no look-up but the first was refused.
    assert [seen.authorization for seen in stub.seen] == [
        "",
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]


@pytest.mark.parametrize(("expires_in", "used"), [(None, 50), (4, 2), (-1, 50), ("soon", 50)])
async def test_lifetime_that_is_short_or_not_said(start_stub, make_client, clock, expires_in, used):
    stub = await start_stub("bearer")
    stub.expires_in = expires_in
    image, _ = stub.put()
    client = make_client(stub)
    await client.digest(image)
    clock.time += used - 0.5
    await client.digest(image)
    assert len(stub.token_requests) == 1
    clock.time += 0.5
    await client.digest(image)
    assert len(stub.token_requests) == 2


async def test_token_refused_before_its_end_is_replaced(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    client = make_client(stub)
    await client.digest(image)
    stub.tokens.clear()
    assert await client.digest(image) == digest
    assert stub.seen[-1].authorization == "Bearer token-2"


async def test_one_token_for_all_who_ask_at_once(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    client = make_client(stub)
    assert await asyncio.gather(*(client.digest(image) for _ in range(8))) == [digest] * 8
    assert len(stub.token_requests) == 1


async def test_each_repository_has_a_token_of_its_own(start_stub, make_client):
    stub = await start_stub("bearer")
    first, _ = stub.put("team/first")
    second, digest = stub.put("team/second", media_type="application/vnd.oci.image.index.v1+json")
    client = make_client(stub)
    await client.digest(first)
    assert await client.digest(second) == digest
    assert sorted(stub.tokens.values()) == [
        "repository:team/first:pull",
        "repository:team/second:pull",
    ]


async def test_identity_token_is_exchanged_by_post(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    config = config_json(stub.host, identitytoken="identity")
    assert await make_client(stub, config).digest(image) == digest
    [asked] = stub.token_requests
    assert (asked.method, asked.query, asked.authorization) == ("POST", [], "")
    assert asked.form == {
        "grant_type": "refresh_token",
        "client_id": "jupyterhub-imagebuilder",
        "refresh_token": "identity",
        "service": "stub",
        "scope": "repository:team/app:pull",
    }


async def test_registry_token_is_sent_as_it_is(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    stub.tokens["given"] = "repository:team/app:pull"
    client = make_client(stub, config_json(stub.host, registrytoken="given"))
    assert await client.digest(image) == digest
    stub.tokens.clear()
    with pytest.raises(RegistryDenied):
        await client.digest(image)
    assert stub.token_requests == []


async def test_login_server_refuses_the_password(start_stub, make_client):
    stub = await start_stub("bearer")
    image, _ = stub.put()
    with pytest.raises(RegistryDenied, match="refuses the image builder's credentials"):
        await make_client(stub, config_json(stub.host, "wrong")).digest(image)


async def test_login_server_is_down_for_a_moment(start_stub, make_client, clock):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    stub.token_faults = [503, 429]
    assert await make_client(stub).digest(image) == digest
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "answer",
    ["", "<html>", "{}", "[]", '{"token": ""}', '{"token": 5}', '{"token": "two\\nlines"}'],
)
async def test_login_server_answers_without_a_token(start_stub, make_client, answer):
    stub = await start_stub("bearer")
    stub.token_answer = answer
    with pytest.raises(RegistryUnavailable, match="without a token"):
        await make_client(stub).check()


async def test_login_server_is_not_there(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.token_faults = [404]
    with pytest.raises(RegistryUnavailable, match=r"login server .*404"):
        await make_client(stub).check()


@pytest.mark.parametrize(
    "realm",
    [
        "http://other.example.org/token",
        "http://localhost/token",
        "https://user@auth.example.org/token",
        "ftp://127.0.0.1/token",
        "/token",
        "https://",
        "http://[",
        "",
    ],
)
async def test_realm_that_is_not_safe(start_stub, make_client, realm):
    stub = await start_stub("bearer")
    stub.challenge = f'Bearer realm="{realm}",service="stub"'
    with pytest.raises(RegistryDenied, match="cannot safely be sent"):
        await make_client(stub).check()
    assert [seen.authorization for seen in stub.seen] == [""]
    assert stub.token_requests == []


async def test_realm_keeps_its_own_query(start_stub, make_client):
    stub = await start_stub("bearer")
    stub.challenge = f'Bearer realm="http://{stub.host}/token?a=%26",scope="x y"'
    with pytest.raises(RegistryDenied):
        await make_client(stub).check()
    assert stub.token_requests[0].query == [("a", "&"), ("scope", "x"), ("scope", "y")]


@pytest.mark.parametrize("challenge", ["Negotiate", "Digest realm=x", "nonsense{"])
async def test_login_of_an_unknown_kind(start_stub, make_client, challenge):
    stub = await start_stub("basic")
    stub.challenge = challenge
    with pytest.raises(RegistryDenied, match="kind of login"):
        await make_client(stub).check()


async def test_bearer_is_preferred_to_basic(start_stub, make_client):
    stub = await start_stub("bearer")
    image, digest = stub.put()
    bearer = f'Bearer realm="http://{stub.host}/token",scope="repository:team/app:pull"'
    stub.challenge = f'Basic realm="x", {bearer}'
    assert await make_client(stub).digest(image) == digest


async def test_renewed_file_is_used_after_a_refusal(start_stub, make_client, tmp_path):
    stub = await start_stub("basic")
    image, digest = stub.put()
    path = tmp_path / "config.json"
    path.write_bytes(config_json(stub.host))
    client = make_client(stub, credentials_file=str(path))
    assert await client.digest(image) == digest
    stub.password = "changed"
    with pytest.raises(RegistryDenied):
        await client.digest(image)
    path.write_bytes(config_json(stub.host, "changed"))
    assert await client.digest(image) == digest


@pytest.mark.parametrize("login", ["basic", "bearer"])
async def test_renewed_secret_is_used_in_the_same_look_up(start_stub, make_client, clock, login):
    stub = await start_stub(login)
    image, digest = stub.put()
    content = [config_json(stub.host)]

    async def read():
        return content[0]

    client = make_client(stub, read_credentials=read)
    assert await client.digest(image) == digest
    stub.password, content[0] = "changed", config_json(stub.host, "changed")
    stub.tokens.clear()
    clock.time += 30
    with pytest.raises(RegistryDenied):  # asked less than a minute ago
        await client.digest(image)
    clock.time += 30
    assert await client.digest(image) == digest


async def test_secrets_stay_out_of_the_log(start_stub, make_client, caplog):
    caplog.set_level(1)
    stub = await start_stub("bearer")
    image, _ = stub.put()
    stub.faults, stub.token_faults = [503], [503]
    await make_client(stub).digest(image)
    assert "503" in caplog.text
    for secret in (PASSWORD, BASIC.removeprefix("Basic "), "token-"):
        assert secret not in caplog.text


async def test_answer_that_is_no_http_leaves_no_secret_in_error_or_log(make_client, caplog):
    async def answer(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if b"Authorization" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n")
        else:
            login = b'WWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n'
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n" + login + b"\r\n")
        writer.close()

    caplog.set_level(1)
    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        stub = SimpleNamespace(host=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(RegistryUnavailable, match="as HTTP has it") as caught:
            await make_client(stub).check()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "Trying again" in caplog.text
    assert "secret" not in caplog.text
    assert BASIC[6:] not in caplog.text


async def test_challenges_are_remembered_within_bounds(start_stub, make_client, monkeypatch):
    monkeypatch.setattr("jupyterhub_imagebuilder.registry.auth._REMEMBERED", 2)
    stub = await start_stub("bearer")
    client = make_client(stub)
    for name in ("a", "b", "c"):
        image, _ = stub.put(name)
        # of another form than the others: none can be guessed
        stub.challenge = f'Bearer realm="http://{stub.host}/token",scope="repository:{name}:pull"'
        client._requests._patterns.clear()
        await client.digest(image)
    assert list(client._requests._challenges) == [("b", True), ("c", True)]


async def test_docker_config_of_another_registry_is_not_sent(start_stub, make_client):
    stub = await start_stub("basic")
    config = json.dumps({"auths": {"elsewhere.example.org": {"auth": BASIC[6:]}}}).encode()
    with pytest.raises(RegistryDenied, match="asks for a password"):
        await make_client(stub, config).check()
    assert [seen.authorization for seen in stub.seen] == [""]
