"""What a person does in a browser: log in, fill in the form, watch, work in JupyterLab."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.integration.cluster.hub import Hub

SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
#: Chromium as root in a container, without its own calls to the outside.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
#: Milliseconds for a first JupyterLab on a small machine.
LAB_LIMIT = 60_000


def log_in(page: Page, hub: Hub, user: str) -> None:
    """Log in by JupyterHub's own form."""
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", user)
    page.fill("#password_input", hub.password)
    page.click("#login_submit")
    page.wait_for_url(lambda url: "/hub/login" not in url)


def choose(page: Page, hub: Hub, profile: str, text: str) -> None:
    """Open the spawn form and name a repository in it; it is looked up, and nothing is sent."""
    page.goto(f"{hub.url}/hub/spawn")
    field = f"profile-option-{profile}--image"
    page.check(f"#profile-item-{profile}")
    page.select_option(f"#{field}", "unlisted-choice")
    repository_field(page).fill(text)
    expect(outlook(page)).to_contain_text(re.compile("built", re.IGNORECASE))


def repository_field(page: Page) -> Locator:
    """Where a repository is named."""
    return page.get_by_role("combobox", name=re.compile("^Repository"))


def outlook(page: Page) -> Locator:
    """What the form says of the repository."""
    return page.get_by_role("region", name="What will be built")


def build_log(page: Page) -> Locator:
    """The log of the build, in the form."""
    return page.get_by_role("region", name="Log of the build")


def press_start(page: Page) -> None:
    """Press the form's button: what has to be built is built, and then the server starts."""
    page.click("#spawn_form [type=submit]")


def run_in_notebook(page: Page, code: str) -> str:
    """Open a notebook from JupyterLab's launcher and run ``code``; its output."""
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').first
    expect(card).to_be_visible(timeout=LAB_LIMIT)
    card.click()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    expect(cell).to_be_visible(timeout=LAB_LIMIT)
    # what is sent to a kernel that still starts is dropped
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=LAB_LIMIT)
    cell.click()
    page.keyboard.type(code)
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output").first
    expect(output).to_be_visible(timeout=LAB_LIMIT)
    return output.inner_text()


def screenshot(page: Page, name: str) -> None:
    """Keep a picture for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
