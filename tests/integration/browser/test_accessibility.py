"""The form in each of its states and all pages: by axe, in light and dark, and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .accessibility import grave_violations
from .people import Form
from .pictures import picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: The rest of the hub's page is the hub's.
PANEL = ".ib-form"
LOG = [
    "Step 1/3 : FROM docker.io/library/buildpack-deps:jammy",
    " ---> 9b2cb0b1d8c4",
    "Step 2/3 : COPY requirements.txt /tmp/requirements.txt",
    " ---> Using cache",
    "Step 3/3 : RUN pip install --no-cache-dir -r /tmp/requirements.txt",
    "Collecting numpy==2.1.3",
    "  Downloading numpy-2.1.3-cp311-cp311-manylinux_2_17_x86_64.whl (16.3 MB)",
    "\x1b[2K     \x1b[90m━━━━━━━━━━━━\x1b[0m \x1b[32m16.3/16.3 MB\x1b[0m \x1b[31m48.1 MB/s\x1b[0m",
    "\x1b[33mWARNING: Running pip as the 'root' user can break packages.\x1b[0m",
    "Collecting xaray==2025.1",
]
CAUSE = [
    "\x1b[31mERROR: Could not find a version that satisfies the requirement xaray==2025.1\x1b[0m",
    "\x1b[31mERROR: No matching distribution found for xaray==2025.1\x1b[0m",
    "The command '/bin/sh -c pip install' returned a non-zero code: 1",
]
WHY = "The step “RUN pip install --no-cache-dir -r /tmp/requirements.txt” failed."
SCHEMES = {"light": "climate-notes", "dark": "ocean-notes"}


def scheme_of(page):
    return page.locator("html").get_attribute("data-bs-theme")


def check(page, name, within=None):
    """A state of a page as axe sees it, and a picture of it."""
    assert grave_violations(page, within) == [], name
    picture(page, name, page.locator(within) if within else None)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_form_in_each_of_its_states(world, person, scheme):
    repository = SCHEMES[scheme]
    url = world.repository(
        repository,
        main="Plot the annual means",
        next="Try another projection",
        v1={"title": "As in the paper", "kind": "tag"},
    )
    user = person(f"alice-{scheme}", color_scheme=scheme)
    page, form = user.page, user.form()
    assert scheme_of(page) == scheme
    expect(page.get_by_text("Paste an address")).to_be_visible()
    check(page, f"form-empty-{scheme}", PANEL)
    form.repository.fill(f"{url}@absent")
    expect(form.repository).to_have_attribute("aria-invalid", "true")
    check(page, f"form-refused-{scheme}", PANEL)
    form.paste(url)
    check(page, f"form-resolved-{scheme}", PANEL)
    form.ref.click()
    page.keyboard.press("ArrowDown")
    check(page, f"form-suggestions-{scheme}", PANEL)
    page.keyboard.press("Escape")
    page.get_by_text("Link and badge").click()
    check(page, f"form-links-{scheme}", PANEL)
    page.goto("about:blank")
    page.goto(f"{world.url}/hub/spawn#build=gh%2Forg%2F{repository}%2Fmain")
    expect(form.outlook.get_by_role("note")).to_be_visible()
    expect(form.repository).to_have_value(url)
    expect(form.outlook).not_to_have_attribute("aria-busy", "true")
    check(page, f"form-linked-{scheme}", PANEL)
    form.press("Build and start")
    build = world.build(url)
    build.enter("fetching", "Fetching the repository.")
    build.say(*LOG)
    expect(form.log).to_contain_text("Collecting xaray")
    check(page, f"form-building-{scheme}", PANEL)
    page.get_by_role("button", name="Cancel the build").click()
    check(page, f"form-asking-{scheme}", PANEL)
    page.keyboard.press("Escape")
    build.say(*CAUSE)
    build.fail(WHY)
    expect(page.get_by_role("region", name="A step of the build failed")).to_be_visible()
    check(page, f"form-failed-{scheme}", PANEL)
    form.press("Build again")
    page.get_by_role("checkbox", name="Start the server when").uncheck()
    build = world.build(url)
    build.say(*LOG[:7])
    build.enter("pushing", "Pushing the image.")
    build.succeed()
    expect(form.stage("Ready")).to_contain_text("done")
    check(page, f"form-ready-{scheme}", PANEL)
    form = user.form().paste(url)
    expect(form.outlook).to_contain_text("Already built")
    check(page, f"form-cached-{scheme}", PANEL)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages(world, person, scheme):
    url = world.repository(f"{SCHEMES[scheme]}-2026", main="Add the buoys")
    done = world.repository(f"{SCHEMES[scheme]}-2025", main="Begin")
    user = person(f"bob-{scheme}", color_scheme=scheme)
    page = user.open()
    expect(page.get_by_role("heading", name="Nothing is built yet")).to_be_visible()
    assert scheme_of(page) == scheme
    check(page, f"images-empty-{scheme}")
    for each in (done, url):
        form = user.form().paste(each)
        page.get_by_role("checkbox", name="Start the server when").uncheck()
        form.press("Build")
        build = world.build(each)
        build.say(*LOG)
        expect(form.log).to_contain_text("Collecting xaray")
        if each == done:
            build.succeed()
            expect(form.stage("Ready")).to_contain_text("done")
    user.open()
    card = page.get_by_role("listitem").filter(has_text="-notes-2026")
    expect(card).to_contain_text("Building")
    expect(page.get_by_role("listitem").filter(has_text="-notes-2025")).to_contain_text("Built")
    check(page, f"images-{scheme}")
    card.get_by_role("link", name="Watch").click()
    expect(Form(page).log).to_contain_text("Collecting xaray")
    check(page, f"build-{scheme}")
    build.say(*CAUSE)
    build.fail(WHY)
    expect(page.get_by_role("region", name="A step of the build failed")).to_be_visible()
    check(page, f"build-failed-{scheme}")
    user.open("link")
    page.get_by_label("Repository", exact=True).fill(url)
    expect(page.get_by_role("region", name="The link")).to_be_visible()
    check(page, f"link-{scheme}")
    user.open("admin")
    expect(page.get_by_text("This page is for the admins")).to_be_visible()
    assert scheme_of(page) == scheme
    check(page, f"refused-{scheme}")
    admin = person("admin", color_scheme=scheme).open("admin")
    expect(admin.get_by_role("region", name="In force, and in use")).to_be_visible()
    check(admin, f"admin-{scheme}")


def test_nothing_runs_out_of_a_phone(world, person):
    url = world.repository("a-repository-with-a-long-name-and-no-blank", main="B" * 90)
    user = person("carol", viewport={"width": 390, "height": 780})
    page, form = user.page, user.form()
    expect(page.get_by_text("Paste an address")).to_be_visible()
    panel = page.locator(PANEL)
    form.paste(url)
    assert overflow(page, panel) <= 0, "resolved"
    picture(page, "form-resolved-phone", panel)
    form.press("Build and start")
    build = world.build(url)
    build.say(*LOG, "x" * 400)
    expect(form.log).to_contain_text("xxx")
    assert overflow(page, panel) <= 0, "building"
    # it follows its end, also when the phone is turned
    jump = page.get_by_role("button", name="Jump to the end")
    for width, height in ((780, 390), (390, 780)):
        expect(jump).to_have_count(0)
        page.set_viewport_size({"width": width, "height": height})
        build.say(*LOG, "turned")
        page.wait_for_timeout(500)
    expect(jump).to_have_count(0)
    picture(page, "form-building-phone", panel)
    for path, heading in (("", "My images"), ("link", "Links and badges")):
        user.open(path)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        assert overflow(page) <= 0, path
        picture(page, f"{path or 'images'}-phone")
    user.open()
    page.get_by_role("link", name="Watch").click()
    expect(form.log).to_contain_text("xxx")
    assert overflow(page) <= 0, "build"
    picture(page, "build-phone")
    build.fail(WHY)
    expect(page.get_by_role("region", name="A step of the build failed")).to_be_visible()
    assert overflow(page) <= 0, "failed"


def overflow(page, part=None):
    """Pixels that the page, or a part of it, is wider than the window."""
    if part is None:
        root = "document.documentElement"
        return page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    return part.evaluate(
        """part => Math.max(...[part, ...part.querySelectorAll(":not(.ib-offscreen)")]
            .filter((each) => !each.closest(".ib-offscreen, .ib-log-scroller, [hidden], dialog"))
            .map((each) => each.getBoundingClientRect().right)) - innerWidth"""
    )
