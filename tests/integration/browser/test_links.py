"""Links that lead into the form, which they fill in and do not send."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.integration.hub.lasting import DIGEST

from .people import Form
from .steered import commit_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_a_link_leads_through_the_login_to_a_form_that_is_filled_in(world, person):
    url = world.repository("linked", main="Begin", next="Next")
    user = person("follower", login=False)
    user.open("v2/gh/org/linked/next?urlpath=lab/tree/x")
    user.fill_in_login()
    form = Form(user.page)
    expect(form.repository).to_have_value(url)
    expect(form.ref).to_have_value("next")
    expect(user.page.get_by_label("Open at the start")).to_have_value("lab/tree/x")
    expect(form.outlook).to_contain_text("Will be built")
    expect(form.outlook.get_by_role("note")).to_contain_text("Code of somebody else.")
    expect(form.outlook.get_by_role("note")).to_contain_text("github.com/org/linked")
    # long enough for what starts by itself
    user.page.wait_for_timeout(1500)
    assert world.builds(url) == []
    assert not world.was_spawned("follower")
    form.press("Build and start")
    world.build(url).succeed()
    user.page.wait_for_url("**/user/follower/lab/tree/x")
    assert world.image_of("follower").endswith(f"@{DIGEST}")
    options = world.hub.user_options("follower")
    assert options["image--unlisted-choice--commit"] == commit_of(url, "next")


def test_a_link_starts_nothing_even_of_what_is_built(world, person):
    url = world.repository("prebuilt", main="Begin")
    first = person("firstcomer")
    form = first.form().paste(url)
    form.press("Build and start")
    world.build(url).succeed()
    first.page.wait_for_url("**/user/firstcomer/**")
    user = person("latecomer")
    user.page.goto(
        f"{world.url}/hub/spawn#build=gh%2Forg%2Fprebuilt%2Fmain&urlpath=lab&profile=gpu"
    )
    form = Form(user.page)
    expect(form.outlook).to_contain_text("Already built: starts at once.")
    expect(user.page.get_by_role("radio", name="Accelerated")).to_be_checked()
    user.page.wait_for_timeout(1500)
    assert not world.was_spawned("latecomer")
    form.press("Start")
    user.page.wait_for_url("**/user/latecomer/lab")
    assert world.hub.user_options("latecomer")["profile"] == "gpu"


def test_who_built_it_before_is_not_warned(world, person):
    url = world.repository("known", main="Begin")
    user = person("knower")
    form = user.form().paste(url)
    user.page.get_by_role("checkbox", name="Start the server when").uncheck()
    form.press("Build")
    world.build(url).succeed()
    expect(form.stage("Ready")).to_contain_text("done")
    page = user.open("v2/gh/org/known/main", page=user.new_tab())
    form = Form(page)
    expect(form.outlook).to_contain_text("Already built")
    expect(form.outlook.get_by_role("note")).to_have_count(0)


def test_who_has_a_server_is_told_that_it_does_not_change(world, person):
    url = world.repository("running", main="Begin")
    user = person("runner")
    form = user.form().paste(url)
    form.press("Build and start")
    world.build(url).succeed()
    user.page.wait_for_url("**/user/runner/**")
    user.open("v2/gh/org/other/main?urlpath=lab")
    expect(user.page.get_by_role("heading", name="Your server is running")).to_be_visible()


@pytest.mark.parametrize(
    "fragment",
    [
        "build=gh%2Forg%2Frepo%2Fmain&urlpath=https%3A%2F%2Fevil.test",
        "build=gh%2Forg%2Frepo%2Fmain&urlpath=..%2F..%2Fhub%2Flogout",
        "build=javascript%3Aalert(1)",
    ],
)
def test_a_link_that_leads_astray_does_nothing(world, person, fragment):
    user = person("wary")
    user.page.goto(f"{world.url}/hub/spawn#{fragment}")
    user.page.wait_for_load_state("networkidle")
    assert not world.was_spawned("wary")
    assert "evil" not in user.page.locator("#spawn_form").get_attribute("action")
    assert "logout" not in user.page.locator("#spawn_form").get_attribute("action")


def test_the_link_maker_makes_a_link_that_works(world, person):
    url = world.repository("shared", main="Begin")
    user = person("sharer")
    user.open("link")
    user.page.get_by_label("Repository", exact=True).fill(f"{url}@main")
    user.page.get_by_label("Open this path").fill("lab/tree/a b.ipynb")
    made = user.page.get_by_role("region", name="The link")
    link = made.get_by_label("Link", exact=True)
    expect(link).to_have_value(re.compile("/v2/gh/org/shared/main\\?urlpath="))
    expect(made.get_by_role("img")).to_be_visible()
    assert made.get_by_role("img").evaluate("e => e.complete && e.naturalWidth > 0")
    made.get_by_role("button", name="Copy").first.click()
    address = user.page.evaluate("navigator.clipboard.readText()")
    assert address == link.input_value()
    assert address in made.get_by_label("Markdown").input_value()
    other = person("receiver")
    other.page.goto(address)
    form = Form(other.page)
    expect(form.repository).to_have_value(url)
    expect(other.page.get_by_label("Open at the start")).to_have_value("lab/tree/a b.ipynb")


def test_the_form_offers_links_to_what_is_in_it(world, person):
    url = world.repository("offered", main="Begin")
    user = person("offerer")
    form = user.form().paste(url)
    user.page.get_by_label("Open at the start").fill("a.ipynb")
    user.page.get_by_text("Link and badge").click()
    user.page.get_by_role("button", name="Copy").nth(1).click()
    address = user.page.evaluate("navigator.clipboard.readText()")
    assert "#build=" in address
    user.page.goto("about:blank")
    user.page.goto(address)
    expect(form.repository).to_have_value(url)
    expect(user.page.get_by_label("Open at the start")).to_have_value("lab/tree/a.ipynb")
