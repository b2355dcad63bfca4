"""The service's own pages and links beside a real hub, with logins, cookies and a browser."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests

from jupyterhub_imagebuilder.web.static import FOLDER
from tests.conftest import find_chromium

from .conftest import PROFILES
from .hubs import Browser, HubProcess, until

pytestmark = pytest.mark.timeout(180)

#: The service itself; its provider and executor answer without a cluster.
CONFIG = (
    PROFILES
    + """
c.ImageBuilder.executor_class = "tests.integration.service.stubs.StubExecutor"
c.ImageBuilder.provider_classes = ["tests.integration.service.stubs.StubProvider"]
setup_ui(c)
# a hub on a loaded machine
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 30}
"""
)
HTML = {"Accept": "text/html"}
API = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
QUESTION = {"repository": "https://git.example.org/org/repo@absent"}
LINK = "v2/gh/Org/repo/feature/x?labpath=a%20b.ipynb"
WISH = "build=gh%2FOrg%2Frepo%2Ffeature%2Fx&urlpath=lab%2Ftree%2Fa%2520b.ipynb"


@pytest.fixture(scope="module", autouse=True)
def front_end():
    """Pages need one; an empty script will do where none was built."""
    if (FOLDER / "manifest.json").exists():
        yield
        return
    FOLDER.mkdir(exist_ok=True)
    files = {"pages-00000000.js": "", "form-00000000.js": ""}
    manifest = {f"src/{name[:-12]}/main.tsx": {"file": name} for name in files}
    for name, text in (files | {"manifest.json": json.dumps(manifest)}).items():
        (FOLDER / name).write_text(text)
    yield
    for name in (*files, "manifest.json"):
        (FOLDER / name).unlink()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = HubProcess(tmp_path_factory.mktemp("pages"), CONFIG)
    try:
        running.wait()
        until(lambda: "ready to build" in running.text(), 30, running.text)
        yield running
    finally:
        running.stop()


def service(hub):
    return f"{hub.url}/services/imagebuilder/"


def visit(hub, name, path=""):
    """Log in to the hub and open a page of the service: session, answer, XSRF token."""
    session = Browser(hub, name).session
    answer = session.get(service(hub) + path, headers=HTML, timeout=30)
    assert answer.status_code == 200, answer.text
    data = re.search(r'id="imagebuilder-page">(.*?)</script>', answer.text)[1]
    return session, answer, json.loads(data)


def test_from_the_hubs_login_to_the_api(hub):
    session, answer, data = visit(hub, "paula")
    assert answer.url == service(hub)
    steps = [urlsplit(step.url).path for step in answer.history]
    assert steps[1:] == [
        "/base/hub/api/oauth2/authorize",
        "/base/services/imagebuilder/oauth_callback",
    ]
    assert data["user"] == {"name": "paula", "admin": False}
    assert data["hub"] == "/base/hub/"
    url, mine = service(hub) + "api/", {**API, "Sec-Fetch-Site": "same-origin"}
    for refused in (
        session.post(url + "resolve", headers=mine, json=QUESTION, timeout=30),
        session.get(url + "builds", headers=mine, timeout=30),
    ):
        assert (refused.status_code, refused.json()["reason"]) == (403, "access-denied")
    mine["X-XSRFToken"] = data["xsrf"]
    assert session.get(url + "builds", headers=mine, timeout=30).json() == {"builds": []}
    taken = session.post(url + "resolve", headers=mine, json=QUESTION, timeout=30)
    assert (taken.status_code, taken.json()["reason"]) == (404, "ref-not-found")
    for site in ("cross-site", "same-site"):
        headers = {**mine, "Sec-Fetch-Site": site}
        assert session.post(url + "resolve", headers=headers, json=QUESTION).status_code == 403
        assert session.get(url + "builds", headers=headers).status_code == 403


def test_only_admins_see_the_admins_page(hub):
    session, _, data = visit(hub, "admin", "admin")
    assert data["user"] == {"name": "admin", "admin": True}
    other = Browser(hub, "peter").session
    answer = other.get(service(hub) + "admin", headers=HTML, timeout=30)
    assert answer.status_code == 403
    assert "This page is for the admins" in answer.text
    assert session.get(service(hub) + "admin", headers=HTML, timeout=30).history == []


def test_a_logout_from_the_hub_is_one_from_the_service(hub):
    session, _, _ = visit(hub, "leaver")
    session.get(f"{hub.url}/hub/logout", timeout=30)
    answer = session.get(service(hub), headers=HTML, timeout=30)
    assert urlsplit(answer.url).path == "/base/hub/login"


def test_a_login_outlives_the_service(hub):
    session, _, data = visit(hub, "stayer")
    hub_pid = hub.process.pid
    (pid,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/status")
        if f"PPid:\t{hub_pid}\n" in path.read_text()
        and b"jupyterhub_imagebuilder" in (path.parent / "cmdline").read_bytes()
    )
    os.kill(pid, signal.SIGKILL)
    until(lambda: hub.text().count("ready to build") >= 2, 60, hub.text)
    headers = {**API, "Sec-Fetch-Site": "same-origin", "X-XSRFToken": data["xsrf"]}
    answer = session.post(service(hub) + "api/resolve", headers=headers, json=QUESTION, timeout=30)
    assert answer.json()["reason"] == "ref-not-found"


def test_no_secret_reaches_a_log(hub):
    session, _, data = visit(hub, "quiet")
    text = hub.text()
    assert data["xsrf"] not in text
    for cookie in session.cookies:
        if cookie.name == "service-imagebuilder":
            assert cookie.value not in text
    assert "oauth_callback?" not in "".join(
        line for line in text.splitlines(keepends=True) if "web.routes" in line
    )


def test_a_link_of_somebody_who_is_logged_in(hub):
    session = Browser(hub, "linker").session
    answer = session.get(service(hub) + LINK, headers=HTML, timeout=30)
    assert answer.status_code == 200
    assert urlsplit(answer.url).path == "/base/hub/spawn"
    assert urlsplit(answer.url).fragment == WISH
    assert hub.server("linker") is None


def test_a_link_of_somebody_whose_server_runs(hub):
    hub.add_users("runner")
    assert hub.start("runner", {"profile": "only", "image": "scipy"}).status_code in (201, 202)
    until(lambda: hub.ready("runner"), 30, hub.text)
    answer = Browser(hub, "runner").session.get(service(hub) + LINK, headers=HTML, timeout=30)
    assert answer.status_code == 200
    assert urlsplit(answer.url).path == "/base/services/imagebuilder/v2/gh/Org/repo/feature/x"
    assert "Your server is running" in answer.text
    opened = Browser(hub, "runner").session.get(f"{hub.url}/hub/user-redirect/", timeout=30)
    steps = [urlsplit(each.url).path.rstrip("/") for each in (*opened.history, opened)]
    assert "/base/user/runner" in steps


def test_programs_still_get_json(hub):
    for path in ("", "versions"):
        assert "imagebuilder" in requests.get(service(hub) + path, timeout=30).json()
    missing = requests.get(service(hub) + "nowhere", timeout=30)
    assert (missing.status_code, missing.json()["reason"]) == (404, None)


@pytest.fixture
def page(tmp_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()


def log_in(page, name):
    page.fill("#username_input", name)
    page.fill("#password_input", "x")
    page.click("#login_submit")


@pytest.mark.browser
def test_a_link_survives_the_login_in_a_browser(hub, page):
    page.goto(service(hub) + LINK)
    assert "/hub/login" in page.url
    log_in(page, "stranger")
    page.wait_for_url("**/hub/spawn?**")
    assert page.evaluate("location.hash") == f"#{WISH}"
    assert hub.server("stranger") is None


@pytest.mark.browser
def test_the_pages_keep_to_their_policy_in_a_browser(hub, page):
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(f"{hub.url}/hub/login?next=" + quote("/base/services/imagebuilder/link"))
    log_in(page, "looker")
    page.wait_for_url("**/services/imagebuilder/link")
    page.wait_for_load_state("networkidle")
    assert [text for text in problems if "Content Security Policy" in text] == []
    # the hub's own style applies
    padding = page.evaluate("getComputedStyle(document.querySelector('.navbar')).paddingTop")
    assert padding not in ("0px", "")
    assert page.evaluate("document.querySelector('img.jpy-logo').naturalWidth") > 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.goto(service(hub) + "admin")
    assert page.text_content("h1") == "Not allowed"


@pytest.mark.browser
def test_another_sites_form_changes_nothing(hub, page):
    """A page of another site, of ``localhost`` here, sends the cookie along at best."""
    page.goto(f"{hub.url}/hub/login?next=" + quote("/base/services/imagebuilder/"))
    log_in(page, "victim")
    page.wait_for_url("**/services/imagebuilder/")
    target = service(hub) + "api/builds"
    fields = '<input name=\'{"repository": "https://git.example.org/o/r", "x": "\' value=\'"}\'>'
    form = f"<form method=post enctype=text/plain action={target}>{fields}</form>"
    page.route(
        "http://localhost:9/",
        lambda route: route.fulfill(body=f"<body>{form}</body>", content_type="text/html"),
    )
    page.goto("http://localhost:9/")
    with page.expect_response(target) as answered:
        page.evaluate("document.forms[0].submit()")
    assert answered.value.status in (401, 403)
    # else its page may come in between
    page.wait_for_url(target)
    page.goto(service(hub))
    page.get_by_role("heading", name="Nothing is built yet").wait_for()


#: Browsers take all names below ``localhost`` for this machine.
SUBDOMAINS = """
c.JupyterHub.subdomain_host = c.JupyterHub.bind_url.replace("127.0.0.1", "hub.localhost")[:-6]
c.JupyterHub.allow_named_servers = False
"""


class SubdomainHub(HubProcess):
    """A hub whose proxy tells hosts apart."""

    @property
    def host(self):
        return urlsplit(self.url).netloc.replace("127.0.0.1", "hub.localhost")

    def _answers(self):
        assert self.process.poll() is None, self.text()
        try:
            headers = {"Host": self.host}
            return requests.get(f"{self.url}/hub/api", headers=headers, timeout=5).ok
        except requests.ConnectionError:
            return False


@pytest.fixture
def subdomains(tmp_path):
    running = SubdomainHub(tmp_path, SUBDOMAINS + CONFIG)
    try:
        running.wait()
        until(lambda: "ready to build" in running.text(), 30, running.text)
        yield running
    finally:
        running.stop()


@pytest.mark.browser
def test_a_hub_with_subdomains(subdomains, page):
    hub = f"http://{subdomains.host}/base/hub/"
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(hub + "login")
    there = page.evaluate("location.origin")
    assert there == f"http://{subdomains.host}"
    host = f"imagebuilder--service.{subdomains.host}"
    service = f"http://{host}/base/services/imagebuilder/"
    page.goto(service + LINK)
    assert page.url.startswith(hub + "login")
    log_in(page, "remote")
    page.wait_for_url("**/hub/spawn?**")
    assert page.evaluate("location.hash") == f"#{WISH}"
    assert page.evaluate("location.origin") == there
    # a script of the hub's page, as the form's
    statuses = """async (service) => {
        const got = [];
        for (const path of ["static/form.js", "versions"]) {
            got.push((await fetch(service + path)).status);
        }
        const options = {headers: {Authorization: "Bearer wrong"}};
        got.push((await fetch(service + "api/builds", options)).status);
        return got;
    }"""
    assert page.evaluate(statuses, service) == [200, 200, 401]
    problems.clear()
    page.goto(service + "link")
    page.wait_for_load_state("networkidle")
    assert page.url == service + "link"
    data = json.loads(page.text_content("#imagebuilder-page"))
    assert (data["hub"], data["user"]["name"]) == (hub, "remote")
    assert [text for text in problems if "Content Security Policy" in text] == []
    assert page.evaluate("document.querySelector('img.jpy-logo').naturalWidth") > 0
