from __future__ import annotations

import pytest
from aiohttp import web as http

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.errors import AccessDenied, ServiceUnavailable
from jupyterhub_imagebuilder.web.hub_auth import Hub, owner_of

# the first use imports JupyterHub
pytestmark = pytest.mark.timeout(20)

SCOPE = "access:services!service=imagebuilder"
MODELS = {
    "alice": {"kind": "user", "name": "alice", "groups": ["g"], "admin": False, "scopes": [SCOPE]},
    "narrow": {"kind": "user", "name": "narrow", "groups": [], "scopes": ["self"]},
    "all": {"kind": "service", "name": "all", "admin": True, "scopes": ["access:services"]},
}


class StubHub:
    """``GET /hub/api/user``, as a hub answers it."""

    def __init__(self):
        self.asked = []
        self.status = 200

    async def user(self, request):
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert scheme == "token"
        self.asked.append(token)
        if self.status != 200:
            return http.Response(status=self.status)
        if token not in MODELS:
            return http.json_response({"status": 403, "message": "Forbidden"}, status=403)
        return http.json_response(MODELS[token])


@pytest.fixture
async def stub(monkeypatch):
    stub = StubHub()
    app = http.Application()
    app.router.add_get("/hub/api/user", stub.user)
    runner = http.AppRunner(app)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"http://127.0.0.1:{port}/hub/api")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    monkeypatch.setenv("JUPYTERHUB_OAUTH_ACCESS_SCOPES", f'["access:services", "{SCOPE}"]')
    yield stub
    await runner.cleanup()


async def test_whose_token_it_is(stub):
    hub = Hub("imagebuilder")
    assert await hub.owner("alice") == Owner("alice", OwnerKind.USER, frozenset({"g"}))
    assert await hub.owner("all") == Owner("all", OwnerKind.SERVICE, admin=True)
    assert await hub.owner("wrong") is None


async def test_the_hub_is_asked_once_per_token(stub):
    hub = Hub("imagebuilder")
    for _ in range(3):
        await hub.owner("alice")
    assert stub.asked == ["alice"]


async def test_a_token_needs_the_scope(stub):
    with pytest.raises(AccessDenied, match="access:services!service=imagebuilder"):
        await Hub("imagebuilder").owner("narrow")


async def test_the_scope_follows_from_the_name_where_the_hub_names_none(stub, monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_OAUTH_ACCESS_SCOPES")
    monkeypatch.delenv("JUPYTERHUB_SERVICE_NAME", raising=False)
    assert (await Hub("imagebuilder").owner("alice")).name == "alice"
    with pytest.raises(AccessDenied, match="service=other"):
        await Hub("other").owner("alice")


@pytest.mark.parametrize("status", [500, 502, 503, 404])
async def test_a_hub_in_trouble_is_unavailable(stub, status):
    stub.status = status
    with pytest.raises(ServiceUnavailable):
        await Hub("imagebuilder").owner("alice")


async def test_a_hub_that_is_down_is_unavailable(stub, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:1/hub/api")
    with pytest.raises(ServiceUnavailable):
        await Hub("imagebuilder").owner("alice")


def test_a_model_without_groups():
    assert owner_of({"name": "x", "kind": "user", "groups": None}) == Owner("x")
