"""The story as a person sees it: form, log, JupyterLab with the repository's packages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.integration.cluster import browser as person
from tests.integration.cluster import profiles, repositories

pytestmark = [pytest.mark.cluster, pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory, cluster_env):
    choices = profiles.pangeo_like(cluster_env.singleuser, cluster_env.singleuser)
    return hub_factory(profile_list=choices)


def test_from_the_form_to_jupyterlab(hub, page, new_repository, settled):
    # the page goes on to the server when the build is over: somebody has to see it first
    repository = new_repository(repositories.hello, seconds=5)
    person.log_in(page, hub, "ada")
    person.choose(page, hub, profiles.PROFILE, repository.url)
    person.screenshot(page, "form")
    choices = page.locator(f"#profile-option-{profiles.PROFILE}--image")
    expect(choices.locator("option[value=unlisted-choice]")).to_contain_text("repository")
    expect(person.outlook(page)).to_contain_text(repository.head()[:7])

    person.press_start(page)
    expect(person.build_log(page)).to_contain_text("cowsay", timeout=60_000)
    person.screenshot(page, "progress")

    page.wait_for_url("**/user/ada/lab**", timeout=120_000)
    printed = person.run_in_notebook(page, "import cowsay; cowsay.cow('from the repository')")
    assert "from the repository" in printed
    person.screenshot(page, "jupyterlab")

    pod = hub.pod("ada")["spec"]
    assert "@sha256:" in pod["containers"][0]["image"]
    assert [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    ] == [f"{hub.id}-home-ada"]
    settled(hub, "ada")


def test_the_same_again_needs_no_build(hub, page, new_repository, audit):
    repository = new_repository(repositories.tiny)
    hub.build("bob", repository.url, profile=profiles.PROFILE)
    hub.ready("bob")
    assert len(audit.build_pods_created(hub.namespace)) == 1
    person.log_in(page, hub, "cleo")
    person.choose(page, hub, profiles.PROFILE, repository.url)
    expect(person.outlook(page)).to_contain_text("Already built")
    person.press_start(page)
    page.wait_for_url("**/user/cleo/lab**", timeout=120_000)
    assert len(audit.build_pods_created(hub.namespace)) == 1


def test_a_failure_is_a_sentence_on_the_page(hub, page, new_repository, settled):
    repository = new_repository(repositories.broken)
    person.log_in(page, hub, "dora")
    person.choose(page, hub, profiles.PROFILE, repository.url)
    person.press_start(page)
    failure = page.get_by_role("region", name="A step of the build failed")
    expect(failure).to_contain_text("this-package-does-not-exist-0001", timeout=60_000)
    person.screenshot(page, "failure")
    assert not hub.state("dora").get("pending")
    page.goto(f"{hub.url}/hub/spawn")
    expect(page.locator("#spawn_form")).to_be_visible()
    settled(hub, "dora")


def test_all_three_kinds_of_image_are_reached(hub, cluster_env, new_repository, settled):
    other = f"{cluster_env.open_registry}/singleuser:1"
    repository = new_repository(repositories.tiny)

    hub.start("eve", profile=profiles.PROFILE, image="scipy")
    hub.ready("eve")
    assert hub.image("eve") == cluster_env.singleuser
    hub.stop_server("eve")

    hub.build("eve", other, profile=profiles.PROFILE)
    hub.ready("eve")
    assert hub.image("eve") == other
    hub.stop_server("eve")

    hub.build("eve", repository.url, profile=profiles.PROFILE)
    hub.ready("eve")
    image = hub.image("eve")
    assert image.startswith(hub.image_prefix)
    assert "@sha256:" in image
    settled(hub, "eve")


def test_a_link_starts_no_build(hub, page, new_repository, audit, settled):
    repository = new_repository(repositories.tiny)
    person.log_in(page, hub, "fay")
    field = f"profile-option-{profiles.PROFILE}--image--unlisted-choice"
    link = f"{hub.url}/hub/spawn?profile={profiles.PROFILE}&{field}={repository.url}"
    answer = page.goto(link)
    assert answer is not None
    assert answer.status == 400
    assert not hub.state("fay").get("pending")
    assert not hub.state("fay").get("ready")
    assert audit.build_pods_created(hub.namespace) == []
    settled(hub, "fay")
