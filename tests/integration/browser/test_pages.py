"""The service's own pages beside a real hub."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.integration.hub.lasting import DIGEST

from .people import Form
from .steered import commit_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LINES = [f"line {number} of the log" for number in range(300)]


def begin(world, user, url):
    """Begin a build in the form, and leave the page."""
    form = user.form().paste(url)
    user.page.get_by_role("checkbox", name="Start the server when").uncheck()
    form.press("Build")
    build = world.build(url)
    expect(form.build).to_be_visible()
    return build


def card(page, name, where="Builds and images"):
    return page.get_by_role("list", name=where).get_by_role("listitem").filter(has_text=name)


def test_an_empty_list_teaches(world, person):
    user = person("beginner")
    user.open()
    expect(user.page.get_by_role("heading", name="Nothing is built yet")).to_be_visible()
    user.page.get_by_role("link", name="Try an example").click()
    expect(Form(user.page).repository).to_have_value(
        "https://github.com/binder-examples/requirements"
    )
    assert not world.was_spawned("beginner")


def test_the_hub_has_a_way_to_the_pages(world, person):
    user = person("wayfarer")
    user.page.goto(f"{world.url}/hub/home")
    user.page.get_by_role("button", name="Services").click()
    user.page.get_by_role("link", name="imagebuilder").click()
    expect(user.page.get_by_role("heading", name="My images")).to_be_visible()
    user.page.get_by_role("link", name=re.compile("Link")).first.click()
    expect(user.page.get_by_role("heading", name="Links and badges")).to_be_visible()


def test_a_list_of_images_is_live(world, person):
    url = world.repository("listed", main="Begin")
    user = person("lister")
    listing = user.open(page=user.new_tab())
    expect(listing.get_by_role("heading", name="Nothing is built yet")).to_be_visible()
    build = begin(world, user, url)
    mine = card(listing, "github.com/org/listed")
    expect(mine).to_contain_text("Waiting")
    build.say("Step 1/1")
    expect(mine).to_contain_text("Building")
    expect(mine).to_contain_text(commit_of(url)[:7])
    build.succeed()
    expect(mine).to_contain_text("Built")
    expect(mine).to_contain_text(re.compile(r"took \d+ s"))
    listing.get_by_role("searchbox").fill("nothing like it")
    expect(listing.get_by_text("Nothing fits")).to_be_visible()
    listing.get_by_role("searchbox").fill("LISTED built")
    expect(mine).to_be_visible()


def test_an_image_starts_is_copied_rebuilt_and_deleted(world, person):
    url = world.repository("owned", main="Begin")
    user = person("possessor")
    build = begin(world, user, url)
    build.succeed()
    page = user.open()
    mine = card(page, "github.com/org/owned")
    expect(mine).to_contain_text("Built")
    mine.get_by_role("button", name="Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        f"{world.service}v2/gh/org/owned/"
    )
    mine.get_by_role("button", name="Rebuild").click()
    again = world.build(url)
    expect(mine).to_have_count(2)
    again.succeed()
    expect(mine.first).to_contain_text("Built")
    mine.first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(mine).to_have_count(1)
    page.reload()
    expect(mine).to_have_count(1)
    mine.get_by_role("link", name="Start a server").click()
    form = Form(page)
    expect(form.outlook).to_contain_text("Already built")
    form.press("Start")
    page.wait_for_url("**/user/possessor/**")
    assert world.image_of("possessor").endswith(f"@{DIGEST}")


def test_new_commits_are_told_of_and_built(world, person):
    url = world.repository("fresh", main={"commit": "a" * 40})
    user = person("updater")
    build = begin(world, user, url)
    build.succeed()
    expect(Form(user.page).stage("Ready")).to_contain_text("done")
    page = user.open()
    mine = card(page, "github.com/org/fresh")
    expect(mine).to_contain_text("Built")
    expect(mine.get_by_role("button", name="New commits")).to_have_count(0)
    world.repository("fresh", main={"commit": "b" * 40})
    page.reload()
    mine.get_by_role("button", name="New commits").click()
    world.build(url).succeed()
    expect(mine.filter(has_text="bbbbbbb")).to_contain_text("Built")


def test_a_build_has_a_page_with_its_log(world, person):
    url = world.repository("paged", main="Begin")
    user = person("reader")
    build = begin(world, user, url)
    build.say(*LINES[:200])
    page = user.open()
    card(page, "github.com/org/paged").get_by_role("link", name="Watch").click()
    form = Form(page)
    expect(page.get_by_role("heading", name="github.com/org/paged")).to_be_visible()
    expect(form.log).to_contain_text("line 199 of")
    build.say(*LINES[200:])
    expect(form.log).to_contain_text("line 299 of")
    assert form.log_text().splitlines() == LINES
    find = page.get_by_role("searchbox", name="Find in the log")
    find.fill("LINE 12")
    expect(page.get_by_text(re.compile("of 11$"))).to_be_visible()
    find.fill("LINE 12 OF")
    find.press("Enter")
    expect(form.log.get_by_text("line 12 of the log", exact=True)).to_be_in_viewport()
    build.succeed()
    expect(form.stage("Ready")).to_contain_text("done")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_text().splitlines() == LINES
    expect(page.get_by_role("link", name="Start a server")).to_be_visible()
    # who may not see it is told so
    other = person("stranger")
    other.page.goto(page.url)
    expect(other.page.get_by_role("heading", name="This build is not here")).to_be_visible()


# -- For admins ----------------------------------------------------------------------------------


def test_not_an_admin_is_told_so(world, person):
    user = person("curious")
    user.open("admin")
    expect(user.page.get_by_text("This page is for the admins of this JupyterHub.")).to_be_visible()


def test_an_admin_sees_and_cancels_what_others_build(world, person):
    url = world.repository("watched", main="Begin")
    user = person("watched")
    begin(world, user, url).say("Step 1/9")
    page = person("admin").open("admin")
    theirs = card(page, "github.com/org/watched", "Builds that run or wait")
    expect(theirs).to_contain_text("by watched")
    expect(theirs).to_contain_text("Building")
    theirs.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the build").click()
    expect(theirs).to_have_count(0)
    expect(card(page, "github.com/org/watched", "Builds that are over")).to_contain_text(
        "Cancelled"
    )
    told = user.page.get_by_role("status").filter(has_text="The build was cancelled.")
    expect(told).to_be_attached()


def test_a_list_is_built_in_advance_and_published(world, person):
    urls = [world.repository(f"advance-{number}", main="Begin") for number in (1, 2)]
    other = person("everybody")
    theirs = other.open()
    page = person("admin").open("admin")
    field = page.get_by_label("Repositories, one per line")
    field.fill("\n".join([*urls, "https://github.com/org/nothing@absent"]))
    page.get_by_role("button", name="Build them").click()
    expect(
        page.get_by_text("There is no absent in https://github.com/org/nothing.")
    ).to_be_visible()
    expect(field).to_have_value("https://github.com/org/nothing@absent")
    waiting = card(page, "advance-2", "Builds that run or wait")
    expect(waiting).to_contain_text("first in the queue")
    for url in urls:
        world.build(url).succeed()
    done = card(page, "advance-2", "Builds that are over")
    expect(done).to_contain_text("Built")
    assert card(theirs, "advance").count() == 0
    done.get_by_role("button", name="Publish").click()
    page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    expect(done).to_contain_text("For everybody")
    expect(card(theirs, "advance-2")).to_contain_text("For everybody")
    expect(card(theirs, "advance-2").get_by_role("button", name="Delete")).to_have_count(0)
    expect(card(theirs, "advance-1")).to_have_count(0)
    done.get_by_role("button", name="Unpublish").click()
    page.get_by_role("dialog").get_by_role("button", name="Unpublish").click()
    expect(card(theirs, "advance-2")).to_have_count(0)


def test_limits_and_failures_are_shown(world, person):
    url = world.repository("unlucky", main="Begin")
    user = person("unlucky")
    begin(world, user, url).fail("The build needed more than 2 GB.", "out-of-memory")
    page = person("admin").open("admin")
    expect(page.get_by_role("row", name=re.compile("out-of-memory"))).to_be_visible()
    figures = page.get_by_role("region", name="In force, and in use")
    expect(figures).to_contain_text("of 32")
    expect(figures).to_contain_text("1 at once")
