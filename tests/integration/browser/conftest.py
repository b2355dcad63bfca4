from __future__ import annotations

import pytest

from tests.conftest import find_chromium

from .people import Person
from .world import World

#: Two profiles, each with images of the hub's own and another option.
PROFILES = """
def profile(name, slug, **more):
    return {
        "display_name": name,
        "slug": slug,
        "description": f"{name}, for most of what one does",
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {
                    "scipy": {
                        "display_name": "SciPy",
                        "default": True,
                        "kubespawner_override": {"image": "jupyter/scipy-notebook:2023"},
                    },
                },
            },
            "size": {
                "display_name": "Size",
                "choices": {
                    "small": {"display_name": "Small", "kubespawner_override": {"cpu_limit": 1}},
                    "large": {"display_name": "Large", "kubespawner_override": {"cpu_limit": 4}},
                },
            },
        },
        **more,
    }
c.KubeSpawner.profile_list = [
    profile("Standard", "standard", default=True), profile("Accelerated", "gpu")
]
setup_ui(c)
"""


@pytest.fixture(scope="package")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP *.test 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def world(tmp_path_factory):
    """The hub that the tests share: users and repositories are each test's own."""
    world = World(tmp_path_factory.mktemp("world"), PROFILES)
    try:
        yield world.wait()
    finally:
        world.stop()


@pytest.fixture
def person(browser, world):
    """Somebody in a browser, logged in by default; no script of the pages may fail meanwhile."""
    people = []

    def arrive(name, *, login=True, **options):
        somebody = Person(browser, world, name, **options)
        people.append(somebody)
        return somebody.log_in() if login else somebody

    yield arrive
    for each in people:
        each.context.close()
    for each in people:
        assert each.errors == []
