"""What the form carries for the front end, in a real hub and a real browser."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from tests.conftest import find_chromium

from .conftest import PROFILES
from .hubs import Browser, HubProcess, until

FIELD = "profile-option-only--image--unlisted-choice"
TEXT = "image--unlisted-choice"
COMMIT = "1" * 40

#: A source tree may be without the front end, which the tests put in by hand.
PAGES = """
from jupyterhub_imagebuilder.hub.shared import HubSide
HubSide.has_pages = True
c.JupyterHub.allow_named_servers = True
"""
STOCK = "setup_ui(c)\nstand_in(c)\n" + PAGES + PROFILES

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = HubProcess(tmp_path_factory.mktemp("form"), STOCK)
    try:
        yield running.wait()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def chromium_browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP *.test 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


def data_of(page):
    found = re.search(
        r'<script type="application/json" id="imagebuilder-form">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(found[1])


def open_form(chromium_browser, hub, name, script, path="spawn"):
    """The form in a browser, with a script that stands in for the front end's."""
    page = chromium_browser.new_context().new_page()
    page.route("**/static/form.js", script)
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", "x")
    page.click("#login_submit")
    page.wait_for_load_state()
    page.goto(f"{hub.url}/hub/{path}")
    page.wait_for_load_state("load")
    return page


def javascript(body):
    return lambda route: route.fulfill(body=body, content_type="text/javascript")


def test_the_page_says_what_the_front_end_needs(hub):
    data = data_of(Browser(hub, "teller").form().text)
    assert data == {
        "service": "/base/services/imagebuilder/",
        "service_name": "imagebuilder",
        "user": "teller",
        "server": "",
        "option": "image",
        "prefill": "",
        "server_url": "/base/user/teller/",
        "content": "/base/services/imagebuilder/content",
        "hub": "/base/hub/",
    }


def test_a_named_server_and_a_server_of_another_user(hub):
    hub.add_users("other one")
    page = Browser(hub, "admin").session.get(f"{hub.url}/hub/spawn/other%20one/deep", timeout=30)
    data = data_of(page.text)
    assert (data["user"], data["server"]) == ("other one", "deep")
    assert data["server_url"] == "/base/user/other%20one/deep/"


@pytest.mark.browser
def test_a_script_that_runs_finds_its_data_and_the_line_stays_away(hub, chromium_browser):
    body = """
    const data = JSON.parse(document.getElementById("imagebuilder-form").textContent);
    document.title = data.service_name;
    setTimeout(() => { throw new Error("much later"); }, 300);
    setTimeout(() => { document.title += " later"; }, 600);
    """
    page = open_form(chromium_browser, hub, "lucky", javascript(body))
    page.wait_for_function("document.title === 'imagebuilder later'")
    assert page.locator("#imagebuilder-away").is_hidden()


@pytest.mark.browser
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda route: route.abort(), id="no answer"),
        pytest.param(lambda route: route.continue_(), id="404"),
        pytest.param(lambda route: route.fulfill(status=503, body="no"), id="503"),
        pytest.param(lambda route: route.fulfill(body="<html>"), id="a page"),
        pytest.param(javascript("throw new Error('a bug')"), id="throws"),
        pytest.param(javascript("const const"), id="cannot be read"),
    ],
)
def test_a_script_that_does_not_come_leaves_the_form_and_a_line(hub, chromium_browser, script):
    page = open_form(chromium_browser, hub, "unlucky", script)
    page.locator("#imagebuilder-away").wait_for(state="visible")
    assert "a repository that you write here is built" in page.inner_text("#imagebuilder-away")
    page.select_option(".js-profile-option-select", "unlisted-choice")
    assert page.locator(".js-other-input").is_visible()
    page.context.close()


def test_the_server_starts_from_the_commit_that_was_built(hub):
    browser = Browser(hub, "pinned")
    fields = {"profile": "only", FIELD: "https://host.test/org/cached@main"}
    answer = browser.submit(**fields, **{"imagebuilder-commit": COMMIT})
    assert answer.status_code == 302, answer.text
    until(lambda: hub.ready("pinned"), explain=hub.text)
    assert hub.user_options("pinned")[f"{TEXT}--commit"] == COMMIT
    assert "unrecognized" not in hub.text()
    # the next form is another repository's: nothing is left of the commit
    assert hub.api("DELETE", "users/pinned/server").status_code in (202, 204)
    until(lambda: hub.server("pinned") is None or hub.server("pinned")["stopped"])
    answer = browser.submit(profile="only", **{FIELD: "https://host.test/org/cached-too"})
    assert answer.status_code == 302, answer.text
    until(lambda: hub.ready("pinned"), explain=hub.text)
    assert hub.user_options("pinned")[f"{TEXT}--commit"] != COMMIT


@pytest.mark.parametrize("server", ["", "deep"])
def test_a_path_to_open_survives_the_start(hub, server):
    name = f"walker{server}"
    browser = Browser(hub, name)
    own = f"/base/user/{name}/{server + '/' if server else ''}lab/tree/x.ipynb?a=1#b"
    path = f"spawn/{name}/{server}".rstrip("/")
    page = browser.session.get(f"{hub.url}/hub/{path}", timeout=30).text
    action = re.search(r'id="spawn_form"[^>]*action="([^"]+)"', page, re.DOTALL)[1]
    url = f"{hub.url.rpartition('/')[0]}{action.replace('&amp;', '&')}&next={quote(own, safe='')}"
    fields = {"profile": "only", FIELD: "https://host.test/org/repository"}
    answer = browser.session.post(url, data=fields, timeout=30, allow_redirects=False)
    pending = hub.url.rpartition("/")[0] + answer.headers["location"]
    assert "/hub/spawn-pending/" in pending

    def redirected():
        nonlocal answer
        answer = browser.session.get(pending, timeout=30, allow_redirects=False)
        return answer.status_code == 302

    until(redirected, explain=hub.text)
    assert answer.headers["location"] == own


def test_the_progress_page_links_to_the_build(hub):
    hub.add_users("waiter")
    assert hub.start("waiter", {TEXT: "git://h/slow-waiter"}).status_code == 202
    with hub.api("GET", "users/waiter/server/progress", stream=True) as answer:
        for line in answer.iter_lines():
            if line.startswith(b"data: ") and b"html_message" in line:
                event = json.loads(line.removeprefix(b"data: "))
                break
    link = '<p><a href="/base/services/imagebuilder/builds/git-h-slow-waiter" target="_blank"'
    assert event["html_message"].startswith(link)
    assert hub.api("DELETE", "users/waiter/server").status_code in (202, 204)


def test_a_failed_start_links_to_the_build(hub):
    browser = Browser(hub, "failing")
    hub.start("failing", {TEXT: "git://h/fails"})
    page = browser.session.get(f"{hub.url}/hub/spawn-pending/failing", timeout=30).text
    assert "A step failed. (build-failed)" in page
    assert '<a href="/base/services/imagebuilder/builds/git-h-fails"' in page


SUBDOMAINS = """
from urllib.parse import urlsplit
c.JupyterHub.subdomain_host = f"http://hub.test:{urlsplit(c.JupyterHub.bind_url).port}"
"""


@pytest.mark.browser
def test_a_hub_of_subdomains(start_hub, chromium_browser):
    hub = start_hub(STOCK + SUBDOMAINS)
    port = hub.url.rpartition(":")[2].partition("/")[0]
    origin = f"http://hub.test:{port}"
    page = chromium_browser.new_context().new_page()
    asked = []

    def script(route):
        asked.append(route.request.url)
        headers = {"Access-Control-Allow-Origin": "*"}
        body = "document.title = 'there'"
        route.fulfill(body=body, content_type="text/javascript", headers=headers)

    page.route("**/static/form.js", script)
    page.goto(f"{origin}/base/hub/login")
    page.fill("#username_input", "subdued")
    page.fill("#password_input", "x")
    page.click("#login_submit")
    page.goto(f"{origin}/base/hub/spawn")
    page.wait_for_function("document.title === 'there'")
    data = data_of(page.content())
    service = data["service"]
    assert re.fullmatch(
        rf"http://imagebuilder[a-z-]*\.hub\.test:{port}/base/services/imagebuilder/", service
    )
    assert set(asked) == {f"{service}static/form.js"}
    own = f"http://subdued.hub.test:{port}/base/user/subdued/"
    assert data["server_url"] == own
    # the hub leads on to the server's own host
    page.select_option(".js-profile-option-select", "unlisted-choice")
    page.fill(".js-other-input", "https://host.test/org/cached")
    page.evaluate(
        """next => {
            const form = document.getElementById('spawn_form'), url = new URL(form.action);
            url.searchParams.set('next', next);
            form.action = url.href;
        }""",
        f"{own}lab/tree/x?a=1#b",
    )
    page.click("#spawn_form button[type=submit]")
    page.wait_for_url(re.compile(re.escape(f"{own}lab/tree/x?a=1") + ".*#b$"))
    page.context.close()
