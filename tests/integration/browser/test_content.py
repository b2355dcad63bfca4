"""The repository's files in the user's home, on request; the server's side of it is a stand-in."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PULL = re.compile(r"/git-pull(\?|$)")


def started(world, person, name, *, puller):
    """Have a server start from the form, with its repository's files."""
    url = world.repository(name, main="Begin")
    user = person(f"user-of-{name}")
    status = 200 if puller else 404
    user.page.route(PULL, lambda route: route.fulfill(status=status, body="git-pull"))
    form = user.form().paste(url)
    user.page.get_by_label("Open at the start").fill("a b.ipynb")
    user.page.get_by_role("checkbox", name="Put the repository's files into my home").check()
    form.press("Build and start")
    world.build(url).succeed()
    return url, user


def test_files_are_pulled_where_the_image_can_do_so(world, person):
    url, user = started(world, person, "pulled", puller=True)
    user.page.wait_for_url("**/git-pull?**")
    address = urlsplit(user.page.url)
    assert address.path == f"/base/user/{user.name}/git-pull"
    query = parse_qs(address.query)
    assert query == {"repo": [url], "branch": ["main"], "urlpath": ["lab/tree/pulled/a%20b.ipynb"]}


def test_who_cannot_have_them_is_told_and_goes_on(world, person):
    _, user = started(world, person, "unpulled", puller=False)
    expect(user.page.get_by_text("This image has no nbgitpuller")).to_be_visible()
    user.page.get_by_role("link", name="Go to the server").click()
    user.page.wait_for_url(f"**/user/{user.name}/lab/tree/unpulled/a%20b.ipynb")


def test_a_link_from_elsewhere_pulls_only_after_a_question(world, person):
    user = person("invited")
    user.page.route(PULL, lambda route: route.fulfill(status=200, body="git-pull"))
    query = {"server": "/base/user/invited/", "repo": "https://github.com/org/foreign"}
    user.open(f"content?{urlencode(query)}")
    question = user.page.get_by_role("heading", name="Put this repository into your home?")
    expect(question).to_be_visible()
    user.page.get_by_role("button", name="Put it into my home").click()
    user.page.wait_for_url("**/user/invited/git-pull?repo=**")


@pytest.mark.parametrize("server", ["https://evil.test/", "//evil.test/", "/base/hub/logout"])
def test_a_link_leads_nowhere_but_into_a_server(world, person, server):
    user = person("led-astray")
    query = {"server": server, "repo": "https://github.com/org/foreign"}
    user.open(f"content?{urlencode(query)}")
    expect(user.page.get_by_text("This link does not say whose server")).to_be_visible()
