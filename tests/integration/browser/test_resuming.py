"""Builds that go on while nobody looks, and are found again."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import expect

from .people import CHOICE
from .wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LINES = [f"line {number} of the log" for number in range(2000)]


def begun(world, person, name, **options):
    url = world.repository(name, main="Begin")
    user = person(f"user-of-{name}", **options)
    form = user.form().paste(url)
    form.press("Build and start")
    return url, user, form, world.build(url)


def test_a_reload_in_the_middle_goes_on(world, person):
    url, user, form, build = begun(world, person, "reloaded")
    build.say(*LINES[:50])
    expect(form.log).to_contain_text("line 49 of")
    user.page.reload()
    expect(form.log).to_contain_text("line 49 of")
    build.say(*LINES[50:60])
    expect(form.log).to_contain_text("line 59 of")
    assert form.log_text().splitlines() == LINES[:60]
    build.succeed()
    # as it was wanted before the reload
    user.page.wait_for_url(f"**/user/{user.name}/**")
    assert len(world.builds(url)) == 1


def test_who_closes_the_page_and_comes_back_is_offered_the_build(world, person):
    _, user, form, build = begun(world, person, "closed")
    build.say("Step 1/9")
    expect(form.log).to_contain_text("Step 1/9")
    page = user.new_tab()
    user.page.close()
    build.say("Step 2/9")
    form = user.form(page=page)
    expect(page.get_by_text("Your build of github.com/org/closed is under way.")).to_be_visible()
    page.get_by_role("button", name="Show it").click()
    expect(form.log).to_contain_text("Step 1/9")
    expect(form.log).to_contain_text("Step 2/9")
    build.succeed()
    expect(form.stage("Ready")).to_contain_text("done")
    # it was only looked at
    assert not world.was_spawned(user.name)
    form.press("Start")
    page.wait_for_url(f"**/user/{user.name}/**")


def test_a_bad_network_loses_no_line_and_shows_none_twice(world, person):
    url = world.repository("slow", main="Begin")
    with Wire(world.url) as wire:
        user = person("user-of-slow", url=wire.url)
        network = user.context.new_cdp_session(user.page)
        network.send("Network.enable")
        slow = {"latency": 150, "downloadThroughput": 100_000, "uploadThroughput": 100_000}
        network.send("Network.emulateNetworkConditions", slow | {"offline": False})
        form = user.form().paste(url)
        form.press("Build and start")
        build = world.build(url)
        build.say(*LINES[:100])
        expect(form.log).to_contain_text("line 99 of")
        lost = user.page.get_by_text("The connection is lost; the build goes on.")
        for begin in (100, 200):
            wire.cut()
            expect(lost).to_be_visible()
            build.say(*LINES[begin : begin + 100])
            wire.mend()
            expect(lost).to_be_hidden()
            expect(form.log).to_contain_text(f"line {begin + 99} of")
        assert form.log_text().splitlines() == LINES[:300]
        build.succeed()
        user.page.wait_for_url(f"**/user/{user.name}/**")
        user.page.goto("about:blank")


def test_a_service_that_ends_is_told_of_and_comes_back(world, person):
    url, user, form, build = begun(world, person, "ended")
    build.say(*LINES[:100])
    expect(form.log).to_contain_text("line 99 of")
    idle = user.form(page=user.new_tab())
    expect(idle.repository).to_be_visible()
    listing = user.open(page=user.new_tab())
    card = listing.get_by_role("listitem").filter(has_text="github.com/org/ended")
    expect(card).to_contain_text("Building")
    world.end_service()
    lost = user.page.get_by_text("The connection is lost; the build goes on.")
    expect(lost).to_be_visible()
    silent = listing.get_by_text("The image builder does not answer just now.")
    expect(silent).to_be_visible()
    expect(card).to_be_visible()

    # a form that was open already
    idle.repository.fill(url)
    line = idle.page.get_by_text("The image builder cannot be reached")
    expect(line).to_be_visible()
    field = idle.page.get_by_label("Repository", exact=True).first
    expect(field).to_be_visible()
    expect(field).to_have_value(url)

    world.await_service()
    build.say(*LINES[100:200])
    expect(lost).to_be_hidden()
    expect(form.log).to_contain_text("line 199 of")
    assert form.log_text().splitlines() == LINES[:200]
    idle.page.get_by_role("button", name="Try the image builder again").click()
    expect(idle.outlook).to_contain_text("Being built already")
    expect(line).to_be_hidden()
    build.succeed()
    user.page.wait_for_url(f"**/user/{user.name}/**")
    expect(silent).to_be_hidden()
    expect(card).to_contain_text("Built")


def test_a_killed_service_leaves_the_hubs_own_form(world, person):
    _, user, form, build = begun(world, person, "killed")
    build.say(*LINES[:100])
    expect(form.log).to_contain_text("line 99 of")
    world.end_service(signal.SIGKILL)
    late = user.new_tab()
    late.goto(f"{world.url}/hub/spawn")
    late.get_by_label("Image", exact=True).first.select_option(label=CHOICE)
    assert world.service_pids() == []
    expect(late.get_by_text("The image builder cannot be reached")).to_be_visible()
    expect(late.get_by_label("Image", exact=True).first).to_be_visible()
    late.get_by_label("Image", exact=True).first.select_option(label="SciPy")
    late.get_by_role("button", name="Start", exact=True).click()
    late.wait_for_url(f"**/user/{user.name}/**")
    assert world.image_of(user.name) == "jupyter/scipy-notebook:2023"

    world.await_service()
    build.say(*LINES[100:200])
    # the proxy does not pass on that a stream broke: silence does, after 35 s
    expect(form.log).to_contain_text("line 199 of", timeout=90_000)
    assert form.log_text().splitlines() == LINES[:200]
