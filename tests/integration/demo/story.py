"""A newcomer in a browser: from the demo's address to a file that is still there tomorrow.

By hand, beside a demo that runs:

    python -m tests.integration.demo.story --url http://127.0.0.1:8000 --password …
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Callable

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import find_chromium
from tests.integration.cluster.browser import (
    ARGUMENTS,
    LAB_LIMIT,
    build_log,
    outlook,
    press_start,
    repository_field,
    screenshot,
)

USER = "demo"
REPOSITORY = "example"  #: what its address ends with, and its folder in the home
NOTEBOOK = "welcome.ipynb"
FIELD = "profile-option-server--image"
KEPT = "kept.txt"
WORDS = "still here"
#: Milliseconds for the example's build, on a machine with other work.
BUILD_LIMIT = 120_000
START_LIMIT = 60_000
#: What a build prints, whichever builder the engine has.
BUILD_LINE = re.compile(r"\bRUN\b|\bStep \d|Installing what the notebook needs")
#: What the contents API of a server says about one file, or is told.
CONTENTS = """async ([method, path, content]) => {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
  const answer = await fetch(`/user/demo/api/contents/${path}`, {
    method,
    headers: {"X-XSRFToken": token ? token[1] : "", "Content-Type": "application/json"},
    body: content === null ? undefined : JSON.stringify({type: "file", format: "text", content}),
  });
  return [answer.status, await answer.text()];
}"""


class Story:
    """One visit: a browser without cookies, at the login page."""

    def __init__(self, page: Page, url: str, password: str) -> None:
        self.page = page
        self._url = url
        self._password = password

    def log_in(self) -> None:
        """Open the address that the terminal shows, and log in with what it shows."""
        self.page.goto(self._url)
        self._picture("1-login")
        self.page.fill("#username_input", USER)
        self.page.fill("#password_input", self._password)
        self.page.click("#login_submit")
        self.page.wait_for_url(lambda url: "/hub/login" not in url)

    def see_the_form(self) -> None:
        """The choice is made, and the field has the example: nothing is left to fill in."""
        page = self.page
        expect(page.locator("#spawn_form")).to_be_visible()
        expect(page.locator("#profile-item-server")).to_be_checked()
        expect(page.locator(f"#{FIELD}")).to_have_value("unlisted-choice")
        expect(page.locator(f"#{FIELD} option:checked")).to_contain_text("Build from a repository")
        field = repository_field(page)
        expect(field).to_have_value(re.compile(rf"^git://[^/]+/{REPOSITORY}$"))
        expect(outlook(page)).to_contain_text(re.compile("built", re.IGNORECASE))
        self._picture("2-form")

    def watch_the_build(self) -> None:
        """Start; the form shows what the build prints, and leads to JupyterLab."""
        page = self.page
        press_start(page)
        self._picture("3-begun")
        expect(build_log(page)).to_contain_text(BUILD_LINE, timeout=BUILD_LIMIT)
        self._picture("4-build")
        page.wait_for_url(f"**/user/{USER}/lab**", timeout=BUILD_LIMIT)

    def use_the_notebook(self) -> None:
        """The example's files are there; its notebook finds what the image brings."""
        page = self.page
        entry = page.locator(".jp-DirListing-itemText", has_text=NOTEBOOK)
        expect(entry).to_be_visible(timeout=LAB_LIMIT)
        self._picture("5-jupyterlab")
        entry.dblclick()
        cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
        expect(cell).to_be_visible(timeout=LAB_LIMIT)
        # what is sent to a kernel that still starts is dropped
        expect(page.get_by_text("| Idle")).to_be_visible(timeout=LAB_LIMIT)
        cell.click()
        page.keyboard.press("Shift+Enter")
        drawing = page.locator(".jp-Notebook .jp-OutputArea-output img").first
        expect(drawing).to_be_visible(timeout=LAB_LIMIT)
        self._picture("6-notebook")

    def save_a_file(self) -> None:
        status, text = self._contents("PUT", KEPT, WORDS)
        assert status in (200, 201), text

    def find_the_file(self) -> None:
        """What was saved is there, and the example's files are."""
        for path, words in ((KEPT, WORDS), (f"{REPOSITORY}/{NOTEBOOK}", "segno")):
            status, text = self._contents("GET", path)
            assert status == 200, text
            assert words in json.dumps(json.loads(text)["content"])

    def stop_the_server(self) -> None:
        page = self.page
        page.goto(f"{self._url}/hub/home")
        page.click("#stop")
        expect(page.locator("#stop")).to_be_hidden(timeout=START_LIMIT)
        expect(page.locator("#start")).to_contain_text("Start", timeout=START_LIMIT)

    def start_again(self) -> None:
        """The form remembers the choice; nothing is built, so no line of a build is shown."""
        page = self.page
        page.goto(f"{self._url}/hub/spawn")
        expect(repository_field(page)).to_have_value(re.compile(rf"/{REPOSITORY}\b"))
        expect(outlook(page)).to_contain_text("Already built")
        self._picture("7-form-again")
        press_start(page)
        lines = ""
        deadline = time.monotonic() + START_LIMIT / 1000
        while f"/user/{USER}/lab" not in page.url:
            assert time.monotonic() < deadline, f"no JupyterLab after {START_LIMIT} ms:\n{lines}"
            # whatever is there now, also where the page is just being left
            with contextlib.suppress(PlaywrightError):
                lines = "".join(page.locator("#progress-log").all_text_contents()) or lines
            page.wait_for_timeout(100)
        assert not BUILD_LINE.search(lines), lines
        entry = page.locator(".jp-DirListing-itemText").first
        expect(entry).to_be_visible(timeout=LAB_LIMIT)
        self._picture("8-jupyterlab-again")

    def _contents(self, method: str, path: str, content: str | None = None) -> tuple[int, str]:
        return self.page.evaluate(CONTENTS, [method, path, content])

    def _picture(self, name: str) -> None:
        screenshot(self.page, f"demo-{name}")


#: Stations of a visit, by the stage that they make up.
STAGES: dict[str, tuple[Callable[[Story], None], ...]] = {
    "first": (
        Story.log_in,
        Story.see_the_form,
        Story.watch_the_build,
        Story.use_the_notebook,
        Story.save_a_file,
    ),
    "again": (
        Story.log_in,
        Story.stop_the_server,
        Story.start_again,
        Story.find_the_file,
    ),
    "tomorrow": (
        Story.log_in,
        Story.start_again,
        Story.find_the_file,
    ),
}


def visit(url: str, password: str, stage: str, executable: str) -> None:
    """Go through one stage and tell each station's time; a failure leaves a picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        story = Story(page, url.rstrip("/"), password)
        try:
            for station in STAGES[stage]:
                began = time.monotonic()
                try:
                    station(story)
                except BaseException:
                    screenshot(page, f"failed-demo-{stage}-{station.__name__}")
                    raise
                seconds = time.monotonic() - began
                name = station.__name__.replace("_", " ")
                sys.stdout.write(f"{stage}: {name}: {seconds:.1f} s\n")
        finally:
            browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}")
    parser.add_argument("--url", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("stages", nargs="*", metavar="stage", help=f"of {', '.join(STAGES)}")
    chosen = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        parser.exit(1, "Chromium is not installed.\n")
    for stage in chosen.stages or ("first", "again"):
        visit(chosen.url, chosen.password, stage, executable)


if __name__ == "__main__":
    main()
