"""A log of 100,000 lines, in the page of a build."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from tests.integration.hub.hubs import until

from .people import Form

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

LINES = 100_000
_TELL_LONG_TASKS = """
    window.longTasks = [];
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.longTasks.push(Math.round(task.duration));
    }).observe({ entryTypes: ["longtask"] });
"""


def long_tasks(page):
    """How many tasks kept the page for 50 ms and more, and the longest's milliseconds."""
    tasks = page.evaluate("window.longTasks.splice(0)")
    return f"{len(tasks)} long tasks, longest {max(tasks, default=0)} ms, {sum(tasks)} ms in all"


def await_last(page, line):
    """Wait for the last line; by role, each look would go through all elements."""
    look = "line => document.querySelector('.ib-log-lines')?.textContent.slice(-99).includes(line)"
    until(lambda: page.evaluate(look, line), 60)


def test_a_hundred_thousand_lines_are_all_there(world, person):
    url = world.repository("long", main="Begin")
    user = person("patient-reader")
    form = user.form().paste(url)
    user.page.get_by_role("checkbox", name="Start the server when").uncheck()
    form.press("Build")
    build = world.build(url)
    lines = [f"{number:06} \x1b[32mCollecting\x1b[0m package-{number}" for number in range(LINES)]
    plain = [re.sub("\x1b.*?m", "", line) for line in lines]
    build.say(*lines[:10])
    page = user.open()
    page.add_init_script(_TELL_LONG_TASKS)
    page.get_by_role("link", name="Watch").click()
    form = Form(page)
    expect(form.log).to_contain_text("package-9")
    began = time.monotonic()
    # at once: more than a feed keeps in memory, and faster than the store takes it
    build.say(*lines[10:])
    await_last(page, plain[-1])
    print(f"live: {time.monotonic() - began:.1f} s, {long_tasks(page)}")  # noqa: T201
    assert form.log_text().splitlines() == plain
    print(f"copied: {long_tasks(page)}")  # noqa: T201
    find = page.get_by_role("searchbox", name="Find in the log")
    find.fill("package-54321")
    find.press("Enter")
    shown = page.locator(".ib-found")
    expect(shown).to_have_text("054321 Collecting package-54321")
    expect(shown).to_be_in_viewport()
    find.fill("package-9999")
    expect(page.locator(".ib-count")).to_have_text(re.compile("11$"))
    print(f"found: {long_tasks(page)}")  # noqa: T201
    build.succeed()
    expect(form.stage("Ready")).to_contain_text("done")
    began = time.monotonic()
    page.reload()
    await_last(page, plain[-1])
    print(f"whole: {time.monotonic() - began:.1f} s, {long_tasks(page)}")  # noqa: T201
    assert form.log_text().splitlines() == plain
