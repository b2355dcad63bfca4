"""Builds that end badly, in the spawn form of a real hub."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CAUSE = "ERROR: No matching distribution found for nunpy==9"
LOG = ["Step 1/2 : FROM buildpack-deps", "Collecting nunpy==9", CAUSE, "a last line of many"]


def begun(world, person, name, **refs):
    url = world.repository(name, **(refs or {"main": "Begin"}))
    user = person(f"user-of-{name}")
    form = user.form().paste(url)
    form.press("Build and start")
    return url, user, form, world.build(url)


def test_a_failure_says_why_and_where_and_what_to_change(world, person):
    url, user, form, build = begun(world, person, "failing", main={"commit": "c" * 40})
    build.say(*LOG)
    build.fail("The step RUN pip install failed with exit code 1.")
    told = user.page.get_by_role("region", name="A step of the build failed")
    expect(told).to_contain_text("The step RUN pip install failed with exit code 1.")
    expect(told).to_contain_text("Line 3 of the log")
    expect(told.get_by_role("code")).to_have_text(CAUSE)
    expect(told).to_contain_text("Change the repository's environment files, commit, and build")
    told.get_by_role("button", name="Show it there").click()
    expect(form.log.get_by_text(CAUSE)).to_be_in_viewport()
    assert (
        "The build failed: The step RUN pip" in user.page.get_by_role("status").first.inner_text()
    )
    assert not world.was_spawned(user.name)

    # mended by a commit: the branch is looked up again
    world.repository("failing", main={"commit": "d" * 40})
    form.press("Build again")
    world.build(url).succeed()
    user.page.wait_for_url(f"**/user/{user.name}/**")
    assert world.hub.user_options(user.name)["image--unlisted-choice--commit"] == "d" * 40


def test_what_may_pass_is_tried_again(world, person):
    url, user, form, build = begun(world, person, "evicted")
    build.say("Step 1/1")
    build.fail("The build was evicted from its node.", "evicted")
    told = user.page.get_by_role("region", name="The build was interrupted to make room")
    expect(told).to_contain_text("Nothing is wrong with the repository: try again.")
    told.get_by_role("button", name="Try again").click()
    again = world.build(url)
    again.say("Once more")
    expect(form.log).to_contain_text("Once more")
    expect(form.log).not_to_contain_text("Step 1/1")
    again.succeed()
    user.page.wait_for_url(f"**/user/{user.name}/**")


def test_what_is_no_repository_is_said_at_the_field(world, person):
    user = person("misspeller")
    form = user.form()
    form.repository.fill("https://example.org/org/repo")
    expect(form.repository).to_have_attribute("aria-invalid", "true")
    described = form.repository.get_attribute("aria-describedby")
    expect(user.page.locator(f"[id='{described.split()[-1]}']")).to_be_visible()
    form.repository.fill("https://github.com/org/repo@absent")
    expect(
        user.page.get_by_text("There is no absent in https://github.com/org/repo.")
    ).to_be_visible()
    user.page.get_by_role("button", name="Start", exact=True).click()
    expect(form.repository).to_be_focused()
    assert "/hub/spawn" in user.page.url


def test_a_build_is_cancelled_and_another_begins(world, person):
    url, user, form, build = begun(world, person, "cancelled")
    build.say("Step 1/9")
    expect(form.log).to_contain_text("Step 1/9")
    user.page.get_by_role("button", name="Cancel the build").click()
    question = user.page.get_by_role("dialog", name="Cancel this build?")
    question.get_by_role("button", name="Back").click()
    expect(question).to_be_hidden()
    user.page.get_by_role("button", name="Cancel the build").click()
    question.get_by_role("button", name="Cancel the build").click()
    expect(form.build).to_contain_text(re.compile("cancelled", re.IGNORECASE))
    assert not world.was_spawned(user.name)
    user.page.get_by_role("button", name="Change", exact=True).click()
    expect(form.repository).to_have_value(url)
    other = world.repository("instead", main="Begin")
    form.paste(other).press("Build and start")
    world.build(other).succeed()
    user.page.wait_for_url(f"**/user/{user.name}/**")
    assert "org-instead" in world.image_of(user.name)


def test_two_tabs_follow_one_build_and_one_cancels(world, person):
    url, user, form, build = begun(world, person, "twofold")
    build.say("Step 1/9")
    other = user.form(page=user.new_tab())
    other.paste(url)
    expect(other.outlook).to_contain_text("Being built already")
    other.press("Build and start")
    for each in (form, other):
        expect(each.log).to_contain_text("Step 1/9")
    build.say("Step 2/9")
    for each in (form, other):
        expect(each.log).to_contain_text("Step 2/9")
    assert len(world.builds(url)) == 1
    other.page.get_by_role("button", name="Cancel the build").click()
    other.page.get_by_role("dialog").get_by_role("button", name="Cancel the build").click()
    for each in (form, other):
        expect(
            each.page.get_by_role("status").filter(has_text="The build was cancelled.")
        ).to_be_attached()
    assert not world.was_spawned(user.name)


def test_a_build_waits_for_its_turn_and_says_so(world, person):
    _, user, _, build = begun(world, person, "inturn")
    build.say("Step 1/9")
    second = world.repository("outofturn", main="Begin")
    later = user.form(page=user.new_tab()).paste(second)
    expect(later.outlook).to_contain_text("You may have 1 build running at once")
    later.press("Build and start")
    expect(later.build).to_contain_text("First in the queue")
    assert world.builds(second) == []
    build.succeed()
    world.build(second).say("Its turn")
    expect(later.log).to_contain_text("Its turn")
