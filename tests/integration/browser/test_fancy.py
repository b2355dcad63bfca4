"""The panel in the form of jupyterhub-fancy-profiles (https://github.com/2i2c-org/jupyterhub-fancy-profiles)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.integration.hub.lasting import DIGEST

from .conftest import PROFILES
from .people import CHOICE, Form
from .steered import commit_of
from .world import World

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

#: It knows no base_url.
FANCY = """
c.JupyterHub.bind_url = c.JupyterHub.bind_url.removesuffix("base/")
import sys
sys.path.append({path!r})
import jupyterhub_fancy_profiles
jupyterhub_fancy_profiles.setup_ui(c)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    found = importlib.util.find_spec("jupyterhub_fancy_profiles")
    fancy = FANCY.format(path=str(Path(found.origin).parents[1]))
    world = World(tmp_path_factory.mktemp("fancy"), fancy + PROFILES, base="")
    try:
        yield world.wait()
    finally:
        world.stop()


def choose(page):
    page.locator(".select__control").first.click()
    page.get_by_role("option", name=CHOICE).click()
    return Form(page)


def test_from_an_address_to_a_server(world, person):
    url = world.repository("fancy", main="Begin")
    user = person("fancier")
    user.page.goto(f"{world.url}/hub/spawn")
    form = choose(user.page).paste(url)
    expect(form.outlook).to_contain_text("Will be built")
    form.press("Build and start")
    build = world.build(url)
    build.say("Step 1/1")
    expect(form.log).to_contain_text("Step 1/1")
    build.succeed()
    user.page.wait_for_url("**/user/fancier/**")
    assert world.image_of("fancier").endswith(f"@{DIGEST}")
    options = world.hub.user_options("fancier")
    assert options["image--unlisted-choice--commit"] == commit_of(url)


def test_a_link_fills_it_in(world, person):
    url = world.repository("fancy-link", main="Begin")
    user = person("linker")
    user.page.goto(f"{world.url}/hub/spawn#build=gh%2Forg%2Ffancy-link%2Fmain&profile=gpu")
    form = Form(user.page)
    expect(form.repository).to_have_value(url)
    expect(form.outlook).to_contain_text("Will be built")
    assert world.builds(url) == []
