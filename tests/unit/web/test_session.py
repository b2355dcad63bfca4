from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyterhub_imagebuilder.access import access
from tests.unit.web.browsing import browsing
from tests.unit.web.support import PREFIX, new_build

# the first use imports JupyterHub
pytestmark = pytest.mark.timeout(20)

QUESTION = '{"repository": "https://git.example.org/org/repo"}'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_stranger_is_sent_to_the_hubs_login(site):
    async with site.open("builds/b1") as response:
        assert response.status == 302
        url = urlsplit(response.headers["Location"])
        assert response.headers["Cache-Control"] == "no-store"
    asked = parse_qs(url.query)
    assert url.path == "/hub/api/oauth2/authorize"
    assert asked["client_id"] == ["service-imagebuilder"]
    assert asked["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    assert asked["state"][0]


async def test_a_login_leads_back_to_the_page(site):
    status, location, _ = await site.log_in("alice", "builds/b1")
    assert (status, location) == (302, f"{PREFIX}builds/b1")
    status, text = await site.page("builds/b1")
    assert (status, '"name": "alice"' in text) == (200, True)


async def test_the_code_is_proven_where_the_hub_can_check_it(site):
    import jupyterhub

    async with site.open("") as response:
        asked = parse_qs(urlsplit(response.headers["Location"]).query)
    if jupyterhub.version_info < (6,):
        assert "code_challenge" not in asked
        return
    assert asked["code_challenge_method"] == ["S256"]
    async with site.open("oauth_callback", params={"code": "alice", "state": asked["state"][0]}):
        pass
    verifier = site.hub.exchanged[0]["code_verifier"]
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert challenge == asked["code_challenge"][0]


async def test_the_cookie_is_for_the_service_alone(site):
    await site.log_in("alice")
    cookie = next(c for c in site.session.cookie_jar if c.key == "service-imagebuilder")
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (PREFIX, True, "Lax")
    assert not cookie["secure"]


async def test_the_cookie_is_secure_on_https(site):
    async with site.open("", headers={"X-Forwarded-Proto": "https"}) as response:
        asked = parse_qs(urlsplit(response.headers["Location"]).query)
        state_cookie = response.cookies["service-imagebuilder-oauth-state"]
        assert state_cookie["secure"]
    headers = {
        "X-Forwarded-Proto": "https",
        "Cookie": f"{state_cookie.key}={state_cookie.coded_value}",
    }
    back = {"code": "alice", "state": asked["state"][0]}
    async with site.open("oauth_callback", params=back, headers=headers) as response:
        assert response.cookies["service-imagebuilder"]["secure"]


@pytest.mark.parametrize("state", ["", "other", None])
async def test_a_login_that_began_elsewhere_is_refused(site, state):
    async with site.open("") as response:
        assert response.status == 302
    back = {"code": "alice"} | ({} if state is None else {"state": state})
    async with site.open("oauth_callback", params=back) as response:
        assert response.status == 403
        assert "did not begin here" in await response.text()
        assert "service-imagebuilder" not in response.cookies
    assert site.hub.exchanged == []


async def test_logins_that_nobody_ends_take_no_room_for_ever(site, monkeypatch):
    """Anybody can begin one, and JupyterHub's client keeps it for ten minutes."""
    monkeypatch.setattr("jupyterhub_imagebuilder.web.session._BEGUN", 2)
    states = []
    for number in range(4):
        async with site.open(f"builds/b{number}") as response:
            query = parse_qs(urlsplit(response.headers["Location"]).query)
            states.append(query["state"][0])
    auth = await site.backend.sessions._hub.client()
    assert [auth.get_next_url(state) for state in states] == [
        PREFIX,
        PREFIX,
        f"{PREFIX}builds/b2",
        f"{PREFIX}builds/b3",
    ]


async def test_a_login_counts_once(site):
    async with site.open("") as response:
        state = parse_qs(urlsplit(response.headers["Location"]).query)["state"][0]
    statuses = []
    for _ in range(2):
        async with site.open("oauth_callback", params={"code": "alice", "state": state}) as answer:
            statuses.append(answer.status)
    assert statuses == [302, 403]


async def test_a_refusal_of_the_hub_is_a_sentence_and_quotes_nothing(site):
    refusal = {"error": "denied", "error_description": "<b>words of an attacker</b>"}
    async with site.open("oauth_callback", params=refusal) as response:
        text = await response.text()
    assert response.status == 403
    assert "did not let you in" in text
    assert "attacker" not in text


async def test_a_code_that_is_worth_nothing(site):
    status, _, text = await site.log_in("nobody")
    assert status == 503
    assert "did not complete the login" in text


async def test_a_user_without_the_scope_gets_a_page_and_no_login(site):
    status, _, text = await site.log_in("guest")
    assert (status, "access:services!service=imagebuilder" in text) == (403, True)
    assert not [c for c in site.session.cookie_jar if c.key == "service-imagebuilder"]


async def test_a_login_is_over_when_the_hub_says_so(site):
    await site.log_in("alice")
    xsrf = await site.xsrf()
    asked = site.hub.asked
    assert (await site.page(""))[0] == 200
    assert site.hub.asked == asked  # kept for a moment
    site.hub.tokens.clear()
    # a logout takes this cookie of the hub's away, another login changes it
    site.session.cookie_jar.update_cookies({"jupyterhub-session-id": "other"})
    async with site.open("") as response:
        assert (response.status, "/oauth2/authorize" in response.headers["Location"]) == (302, True)
    status, error = await site.api("GET", "api/builds", {"X-XSRFToken": xsrf})
    assert (status, error["reason"]) == (401, "authentication-required")
    assert "reload the page" in error["message"]


async def test_a_hub_in_trouble_is_a_page(site):
    await site.log_in("alice")
    site.hub.status = 503
    site.session.cookie_jar.update_cookies({"jupyterhub-session-id": "other"})
    status, text = await site.page("")
    assert (status, "JupyterHub does not answer" in text) == (503, True)


async def test_a_forged_cookie_is_none(site):
    site.hub.tokens["stolen"] = "alice"
    for value in ("stolen", "2|1:0|10:1|20:service-imagebuilder|8:c3RvbGVu|0"):
        async with site.open("", headers={"Cookie": f'service-imagebuilder="{value}"'}) as response:
            assert response.status == 302
    assert site.hub.asked == 0


async def test_pages_read_the_api_by_cookie_and_token(site):
    await site.log_in("alice")
    ours = {"X-XSRFToken": await site.xsrf(), "Sec-Fetch-Site": "same-origin"}
    assert await site.api("GET", "api/builds", ours) == (200, {"builds": []})


async def test_another_users_server_on_the_same_host_reads_nothing(site):
    await site.log_in("alice")
    # what a script of a page under /user/mallory/ can have her browser send
    status, error = await site.api("GET", "api/builds", {"Sec-Fetch-Site": "same-origin"})
    assert (status, error["reason"]) == (403, "access-denied")


@pytest.mark.parametrize("site_of_it", ["cross-site", "same-site"])
async def test_pages_of_another_site_do_not(site, site_of_it):
    await site.log_in("alice")
    xsrf = await site.xsrf()
    from_there = {"Sec-Fetch-Site": site_of_it}
    for headers in (from_there, from_there | {"X-XSRFToken": xsrf}):
        for method, path in (("GET", "api/builds"), ("POST", "api/builds")):
            status, error = await site.api(method, path, headers, data=QUESTION)
            assert (status, error["reason"]) == (403, "access-denied")
    assert site.builds.asked == []


async def test_what_changes_something_needs_the_token_of_the_page(site):
    await site.log_in("alice")
    xsrf = await site.xsrf()
    for headers in (None, {"X-XSRFToken": ""}, {"X-XSRFToken": "0" * 64}, FORM):
        status, error = await site.api("POST", "api/builds", headers, data=QUESTION)
        assert (status, error["reason"]) == (403, "access-denied")
        assert "reload it" in error["message"]
    assert site.builds.asked == []
    status, document = await site.api("POST", "api/builds", {"X-XSRFToken": xsrf}, data=QUESTION)
    assert (status, document["id"]) == (202, "b1")
    assert site.builds.asked[0][1].name == "alice"
    status, _ = await site.api("POST", "api/builds/b1/cancel", {"X-XSRFToken": xsrf})
    assert status == 200


async def test_every_method_that_changes_something_is_guarded(site):
    await site.log_in("alice")
    site.builds.known["b1"] = new_build()
    for method, path in (("DELETE", "api/builds/b1"), ("POST", "api/builds/b1/rebuild")):
        assert (await site.api(method, path))[0] == 403
    assert site.builds.asked == []


async def test_the_token_is_of_the_login(site):
    await site.log_in("alice")
    first = await site.xsrf()
    assert await site.xsrf() == first
    site.session.cookie_jar.clear()
    await site.log_in("alice")
    assert await site.xsrf() != first
    status, _ = await site.api("POST", "api/builds", {"X-XSRFToken": first}, data=QUESTION)
    assert status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Dest": "iframe"},
    ],
)
async def test_a_script_that_reads_a_page_gets_none(site, headers):
    await site.log_in("alice")
    async with site.open("link", headers=headers) as response:
        text = await response.text()
    assert response.status == 403
    assert "xsrf" not in text


async def test_a_cookie_is_nothing_elsewhere(site):
    await site.log_in("alice")
    xsrf = {"X-XSRFToken": await site.xsrf()}
    async with site.session.get(f"{site.url}build/gh/org/repo/main", headers=xsrf) as response:
        assert "authentication-required" in await response.text()
    assert site.builds.asked == []
    assert (await site.api("GET", "metrics", xsrf))[0] == 401


async def test_a_token_goes_before_the_cookie(site):
    await site.log_in("alice")
    status, _ = await site.api("GET", "api/builds", {"Authorization": "Bearer own"})
    assert status == 200
    # what is sent as a token counts, even where a cookie would do
    assert (await site.api("GET", "api/builds", {"Authorization": "Bearer wrong"}))[0] == 401


async def test_a_login_names_nobody_else(site):
    await site.log_in("root")
    xsrf = {"X-XSRFToken": await site.xsrf()}
    body = '{"repository": "https://x", "owner": {"name": "alice"}}'
    status, error = await site.api("POST", "api/builds", xsrf, data=body)
    assert (status, error["message"]) == (403, "Only the hub may name the owner of a request.")


def test_logins_outlive_a_restart_of_the_service_and_its_token_no_longer(monkeypatch):
    def secret(token):
        variables = {
            "JUPYTERHUB_API_URL": "http://127.0.0.1/hub/api",
            "JUPYTERHUB_API_TOKEN": token,
            "JUPYTERHUB_CLIENT_ID": "service-imagebuilder",
        }
        given = access(variables, service_name="imagebuilder", prefix="/", tokens=None)
        return given.sessions.cookie_secret

    assert secret("one") == secret("one")
    assert secret("one") != secret("two")
    assert b"one" not in secret("one")


@pytest.mark.parametrize(
    "missing", ["JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID"]
)
def test_without_a_hub_there_are_no_logins(missing):
    variables = {
        "JUPYTERHUB_API_URL": "http://127.0.0.1/hub/api",
        "JUPYTERHUB_API_TOKEN": "own",
        "JUPYTERHUB_CLIENT_ID": "service-imagebuilder",
    }
    del variables[missing]
    given = access(variables, service_name="imagebuilder", prefix="/", tokens=None)
    assert (given.site, given.sessions) == (None, None)


async def test_a_hub_with_subdomains(monkeypatch):
    host = {
        "JUPYTERHUB_HOST": "https://Hub.example.org",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"https://i.hub.example.org{PREFIX}oauth_callback",
    }
    async for site in browsing(monkeypatch, None, host):
        async with site.open("") as response:
            location = response.headers["Location"]
        assert location.lower().startswith("https://hub.example.org/hub/api/oauth2/authorize?")
        origin = {"Origin": "https://hub.example.org"}
        async with site.session.get(f"{site.url}versions", headers=origin) as response:
            assert response.headers["Access-Control-Allow-Origin"] == origin["Origin"]
            assert "Access-Control-Allow-Credentials" not in response.headers
