"""What the tests of pages share: a hub that people log in to, and a browser that keeps cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web as http
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from jupyterhub_imagebuilder.access import access
from jupyterhub_imagebuilder.health import Health
from jupyterhub_imagebuilder.web.base import Backend
from jupyterhub_imagebuilder.web.cors import CrossOrigin
from jupyterhub_imagebuilder.web.routes import application
from jupyterhub_imagebuilder.web.sse import Streams
from tests.unit.web.support import PREFIX, FakeBuilds, FakeClock

SCOPE = "access:services!service=imagebuilder"
HTML = {"Accept": "text/html,application/xhtml+xml"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


class StubHub:
    """The hub's part of OAuth, and ``GET /hub/api/user``, as a hub answers them."""

    def __init__(self):
        self.users = {
            "alice": {"kind": "user", "name": "alice", "groups": ["staff"], "scopes": [SCOPE]},
            "root": {"kind": "user", "name": "root", "admin": True, "scopes": [SCOPE]},
            "guest": {"kind": "user", "name": "guest", "groups": [], "scopes": ["self"]},
        }
        self.tokens = {}
        self.exchanged = []
        self.asked = 0
        self.status = 200

    async def user(self, request):
        self.asked += 1
        if self.status != 200:
            return http.Response(status=self.status)
        name = self.tokens.get(request.headers["Authorization"].partition(" ")[2])
        if name is None:
            return http.json_response({"status": 403}, status=403)
        return http.json_response(self.users[name])

    async def token(self, request):
        form = dict(await request.post())
        self.exchanged.append(form)
        if self.status != 200 or form["code"] not in self.users:
            return http.json_response({"error": "invalid_grant"}, status=400)
        token = f"oauth-{form['code']}-{len(self.exchanged)}"
        self.tokens[token] = form["code"]
        return http.json_response({"access_token": token})


@dataclass
class Site:
    """The service beside a hub, and a browser."""

    hub: StubHub
    builds: FakeBuilds
    backend: Backend
    session: aiohttp.ClientSession
    url: str

    def open(self, path, headers=None, **kwargs):
        """Ask as a browser does that opens a page."""
        headers = HTML | NAVIGATION | (headers or {})
        return self.session.get(self.url + path, headers=headers, allow_redirects=False, **kwargs)

    async def log_in(self, name, path=""):
        """Open a page and log in as the hub would have it; where that leads."""
        async with self.open(path) as response:
            assert response.status == 302, await response.text()
            asked = parse_qs(urlsplit(response.headers["Location"]).query)
        back = {"code": name, "state": asked["state"][0]}
        async with self.open("oauth_callback", params=back) as response:
            return response.status, response.headers.get("Location"), await response.text()

    async def page(self, path):
        async with self.open(path) as response:
            return response.status, await response.text()

    async def xsrf(self):
        _, text = await self.page("link")
        return re.search(r'"xsrf": "([0-9a-f]{64})"', text)[1]

    async def api(self, method, path, headers=None, **kwargs):
        sent = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"} | (headers or {})
        async with self.session.request(method, self.url + path, headers=sent, **kwargs) as answer:
            return answer.status, await answer.json()


async def browsing(monkeypatch, front_end, environment=None):
    """Serve a domain beside a stub of a hub; a generator for a fixture."""
    hub = StubHub()
    app = http.Application()
    app.router.add_get("/hub/api/user", hub.user)
    app.router.add_post("/hub/api/oauth2/token", hub.token)
    runner = http.AppRunner(app)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    variables = {
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{runner.addresses[0][1]}/hub/api",
        "JUPYTERHUB_API_TOKEN": "own",
        "JUPYTERHUB_CLIENT_ID": "service-imagebuilder",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": f'["{SCOPE}"]',
        **(environment or {}),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = access(variables, service_name="imagebuilder", prefix=PREFIX, tokens=None)
    cors = CrossOrigin()
    cors.hub_origin = given.site.origin if given.site else ""
    clock, builds = FakeClock(), FakeBuilds()
    backend = Backend(
        authenticator=given.authenticator,
        site=given.site,
        sessions=given.sessions,
        streams=Streams(clock),
        health=Health(clock=clock, timeout=0.05),
        versions=lambda: {"imagebuilder": "1.2.3"},
        builds=builds,
        cors=cors,
    )
    web_app = application(backend, PREFIX)
    web_app.settings["front_end"] = front_end
    server = HTTPServer(web_app)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    jar = aiohttp.CookieJar(unsafe=True)  # keeps cookies of an IP address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Site(hub, builds, backend, session, f"http://127.0.0.1:{port}{PREFIX}")
    server.stop()
    await server.close_all_connections()
    await backend.health.close()
    await runner.cleanup()
