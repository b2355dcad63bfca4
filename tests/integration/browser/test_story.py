"""From a pasted address to a server, in the spawn form of a real hub."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.integration.hub.lasting import DIGEST

from .people import Form
from .steered import commit_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def built(world, person, url, *, name="builder"):
    """Have an image built by somebody, without watching."""
    somebody = person(name)
    somebody.form().paste(url)
    start = somebody.page.get_by_role("checkbox", name="Start the server when the image is ready")
    start.uncheck()
    somebody.page.get_by_role("button", name="Build", exact=True).click()
    build = world.build(url)
    build.say("Step 1/1")
    build.succeed()
    expect(Form(somebody.page).stages).to_contain_text("Ready")
    expect(somebody.page.get_by_text("The image is ready.", exact=True)).to_be_attached()
    return somebody


def test_from_an_address_to_a_server(world, person):
    url = world.repository("story", main={"title": "Add the data"}, old="Older")
    commit = commit_of(url)
    user = person("storyteller")
    form = user.form().paste(url)
    expect(form.outlook).to_contain_text("Will be built")
    expect(form.outlook).to_contain_text(commit[:7])
    expect(form.outlook).to_contain_text("Add the data")
    expect(form.outlook.get_by_role("time")).to_have_text("1 Mar 2026")
    assert world.builds(url) == []

    form.press("Build and start")
    build = world.build(url)
    expect(form.stage("Waiting")).to_contain_text("under way")
    build.enter("fetching", "Fetching the repository.")
    expect(form.stage("Fetching")).to_contain_text("under way")
    build.say("Step 1/2 : FROM buildpack-deps", "Collecting \x1b[32mnumpy\x1b[0m")
    expect(form.stage("Building")).to_contain_text("under way")
    expect(form.log).to_contain_text("Step 1/2 : FROM buildpack-deps")
    expect(form.log.get_by_text("numpy")).to_be_visible()
    build.enter("pushing", "Pushing the image.")
    expect(form.stage("Pushing")).to_contain_text("under way")
    expect(user.page.get_by_role("button", name="The server starts when")).to_be_visible()
    build.succeed()

    user.page.wait_for_url("**/user/storyteller/**")
    assert world.image_of("storyteller").endswith(f"@{DIGEST}")
    options = world.hub.user_options("storyteller")
    assert options["profile"] == "standard"
    assert options["image--unlisted-choice"] == url
    assert options["image--unlisted-choice--commit"] == commit
    assert len(world.builds(url)) == 1


def test_what_is_built_starts_at_once(world, person):
    url = world.repository("ready", main="Begin")
    built(world, person, url, name="first-one")
    user = person("second-one")
    form = user.form().paste(f"{url}@main")
    expect(form.outlook).to_contain_text("Already built: starts at once.")
    form.press("Start")
    user.page.wait_for_url("**/user/second-one/**")
    assert world.image_of("second-one").endswith(f"@{DIGEST}")
    assert len(world.builds(url)) == 1


def test_the_time_that_a_build_takes_comes_from_history(world, person):
    url = world.repository("history", main="Begin", next="Go on")
    built(world, person, url, name="historian")
    form = person("expectant").form().paste(f"{url}@next")
    expect(form.outlook).to_contain_text(re.compile(r"Will be built, about \d+ s\."))


def test_the_server_waits_for_its_user_where_that_is_wanted(world, person):
    url = world.repository("patience", main="Begin")
    user = built(world, person, url, name="patient")
    assert not world.was_spawned("patient")
    user.page.get_by_role("button", name="Start", exact=True).click()
    user.page.wait_for_url("**/user/patient/**")
    assert world.image_of("patient").endswith(f"@{DIGEST}")


def test_a_moved_branch_does_not_move_what_was_built(world, person):
    url = world.repository("moving", main={"commit": "a" * 40})
    user = person("mover")
    form = user.form().paste(url)
    form.press("Build and start")
    build = world.build(url)
    world.repository("moving", main={"commit": "b" * 40})
    build.succeed()
    user.page.wait_for_url("**/user/mover/**")
    assert world.hub.user_options("mover")["image--unlisted-choice--commit"] == "a" * 40


def test_branches_and_tags_are_offered(world, person):
    url = world.repository(
        "refs", main="Newest", next="Next", v1={"title": "Released", "kind": "tag"}
    )
    user = person("chooser")
    form = user.form().paste(url)
    form.ref.click()
    offered = user.page.get_by_role("listbox", name="Branch, tag or commit").get_by_role("option")
    expect(offered).to_have_text(["maindefault branch", "nextbranch", "v1tag"])
    offered.filter(has_text="v1").click()
    expect(form.outlook).to_contain_text("Released")
    expect(form.outlook).to_contain_text(commit_of(url, "v1")[:7])
    form.ref.fill("nonsense")
    expect(user.page.get_by_text(f"There is no nonsense in {url}.")).to_be_visible()
    expect(form.ref).to_have_attribute("aria-invalid", "true")


def test_what_was_asked_for_before_is_offered_again(world, person):
    url = world.repository("recent", main="Begin")
    user = built(world, person, url, name="regular")
    form = user.form()
    form.repository.click()
    offered = user.page.get_by_role("listbox", name="Repository").get_by_role("option")
    expect(offered).to_have_count(1)
    expect(offered).to_contain_text(url)
    offered.click()
    expect(form.outlook).to_contain_text("Already built")


def test_keys_alone_lead_to_a_server(world, person):
    url = world.repository("keys", main="Newest", next="Next")
    user = person("keyboarder")
    form = user.form(choose=False)
    keys = user.page.keyboard
    user.page.get_by_label("Image", exact=True).first.focus()
    keys.press("ArrowDown")  # the choice to build
    keys.press("Tab")
    if user.page.get_by_label("Size", exact=True).first.evaluate(
        "e => e === document.activeElement"
    ):
        keys.press("Tab")
    expect(form.repository).to_be_focused()
    keys.type(url)
    expect(form.ref).to_be_visible()
    keys.press("Tab")
    expect(form.ref).to_be_focused()
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(form.ref).to_have_value("next")
    expect(form.outlook).to_contain_text("Next")
    button = user.page.get_by_role("button", name="Build and start")
    for _ in range(25):
        keys.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break
    expect(button).to_be_focused()
    keys.press("Enter")
    build = world.build(url)
    build.say("Step 1/1")
    expect(form.log).to_contain_text("Step 1/1")
    build.succeed()
    user.page.wait_for_url("**/user/keyboarder/**")
    assert world.hub.user_options("keyboarder")["image--unlisted-choice--commit"] == commit_of(
        url, "next"
    )


def test_other_options_and_profiles_are_kept(world, person):
    url = world.repository("options", main="Begin")
    user = person("optimist")
    user.page.goto(f"{world.url}/hub/spawn")
    form = Form(user.page)
    user.page.get_by_role("radio", name="Accelerated").check()
    user.page.get_by_label("Image", exact=True).nth(1).select_option(
        label="Build from a repository"
    )
    user.page.get_by_label("Size", exact=True).nth(1).select_option(label="Large")
    form.paste(url).press("Build and start")
    world.build(url).succeed()
    user.page.wait_for_url("**/user/optimist/**")
    options = world.hub.user_options("optimist")
    assert options["profile"] == "gpu"
    assert options["size"] == "large"
    assert options["image--unlisted-choice--commit"] == commit_of(url)


def test_a_path_is_opened_in_a_named_server(world, person):
    url = world.repository("named", main="Begin")
    user = person("namer")
    form = user.form("spawn/namer/deep").paste(url)
    user.page.get_by_label("Open at the start").fill("data/a b.ipynb")
    expect(user.page.get_by_text("Opens lab/tree/data/a%20b.ipynb.")).to_be_visible()
    form.press("Build and start")
    world.build(url).succeed()
    user.page.wait_for_url("**/user/namer/deep/lab/tree/data/a%20b.ipynb")
    assert world.image_of("namer").endswith(f"@{DIGEST}")


def test_an_admin_starts_a_server_for_somebody_else(world, person):
    url = world.repository("served", main="Begin")
    world.hub.add_users("served")
    admin = person("admin")
    form = admin.form("spawn/served").paste(url)
    expect(admin.page.get_by_role("checkbox", name="Start the server for served")).to_be_checked()
    form.press("Build and start for served")
    world.build(url).succeed()
    admin.page.wait_for_url(
        re.compile("/hub/(spawn-pending/served|home|user/served)|/user/served/")
    )
    assert world.image_of("served").endswith(f"@{DIGEST}")


def test_without_scripts_the_form_is_the_hubs_own(world, person):
    user = person("plain", java_script_enabled=False)
    user.page.goto(f"{world.url}/hub/spawn")
    user.page.get_by_label("Size", exact=True).first.select_option(label="Large")
    user.page.get_by_role("button", name="Start", exact=True).click()
    user.page.wait_for_url("**/user/plain/**")
    assert world.image_of("plain") == "jupyter/scipy-notebook:2023"
    assert world.hub.user_options("plain")["size"] == "large"
