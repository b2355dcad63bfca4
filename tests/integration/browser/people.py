"""What a person does in a browser, by what is to be seen and heard: roles, names, texts."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .world import PATIENCE

LIMIT = PATIENCE * 1000
CHOICE = "Build from a repository"

expect.set_options(timeout=LIMIT)


class Person:
    """Somebody in a browser of their own."""

    def __init__(self, browser, world, name, *, url="", **options):
        self.world, self.name = world, name
        self.url = url or world.url
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(LIMIT)
        if options.get("java_script_enabled", True):
            self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.errors = []
        self.page = self.new_tab()

    def new_tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def log_in(self):
        self.page.goto(f"{self.url}/hub/login")
        self.fill_in_login()
        return self

    def fill_in_login(self):
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill("x")
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/hub/login" not in url)

    def open(self, path="", page=None):
        """A page of the service."""
        page = page or self.page
        page.goto(f"{self.url}/services/imagebuilder/{path}")
        return page

    def form(self, path="spawn", page=None, *, choose=True):
        """The spawn form, with the choice to build."""
        page = page or self.page
        # the same address once more would be a reload, which goes on with what was there
        page.goto("about:blank")
        page.goto(f"{self.url}/hub/{path}")
        if choose:
            page.get_by_label("Image", exact=True).first.select_option(label=CHOICE)
        return Form(page)


class Form:
    """The panel in the spawn form."""

    def __init__(self, page):
        self.page = page
        # ``get_by_role`` sees what is visible: of several profiles, the one that was chosen
        self.repository = page.get_by_role("combobox", name=re.compile("^Repository"))
        self.ref = page.get_by_role("combobox", name="Branch, tag or commit")
        self.outlook = page.get_by_role("region", name="What will be built")
        self.build = page.get_by_role("region", name="The build", exact=True)
        self.stages = page.get_by_role("list", name="Stages of the build")
        self.log = page.get_by_role("region", name="Log of the build")

    def paste(self, text):
        self.repository.fill(text)
        expect(self.outlook).to_contain_text(re.compile("built|Built"))
        expect(self.outlook).not_to_have_attribute("aria-busy", "true")
        return self

    def press(self, name):
        button = self.page.locator("#spawn_form").get_by_role("button", name=name, exact=True)
        button.click()
        return self

    def stage(self, name):
        return self.stages.get_by_role("listitem").filter(has_text=name)

    def log_text(self):
        """All of the log, as the button for it copies it."""
        # by role, a look goes through all elements of a long log, and the word stays for 2 seconds
        tools = self.page.locator(".ib-log-tools")
        tools.get_by_role("button", name="Copy all").click()
        expect(tools.get_by_role("button", name="Copied")).to_be_visible()
        return self.page.evaluate("navigator.clipboard.readText()")
