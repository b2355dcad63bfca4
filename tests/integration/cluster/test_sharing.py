"""Who builds, who shares, and what a server keeps when it starts again."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.web import run_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory()


def start(hub, user, text):
    """Start a server and return when it is ready."""
    hub.build(user, text)
    hub.ready(user)


def test_the_second_time_nothing_is_built(hub, new_repository, audit, settled):
    repository = new_repository(repositories.tiny)
    start(hub, "ann", repository.url)
    first = hub.image("ann")
    hub.stop_server("ann")
    start(hub, "ann", repository.url)
    start(hub, "ben", repository.url)
    assert hub.image("ann") == hub.image("ben") == first
    assert re.search(r"@sha256:[0-9a-f]{64}$", first)
    assert len(audit.build_pods_created(hub.namespace)) == 1
    settled(hub, "ben")


def test_a_new_commit_builds_anew_but_a_restart_keeps_its_own(hub, new_repository, audit, settled):
    repository = new_repository(repositories.tiny, more="COPY notes.txt /tmp/\n")
    repository.commit()
    start(hub, "cora", repository.url)
    first = hub.image("cora")
    hub.stop_server("cora")
    repository.commit()

    hub.start("cora")
    hub.ready("cora")
    assert hub.image("cora") == first
    assert len(audit.build_pods_created(hub.namespace)) == 1
    hub.stop_server("cora")

    start(hub, "cora", repository.url)
    assert hub.image("cora") != first
    assert len(audit.build_pods_created(hub.namespace)) == 2
    settled(hub, "cora")


def test_two_users_at_once_share_one_build(hub, new_repository, audit, settled):
    repository = new_repository(repositories.slow, seconds=4)
    users = ["dan", "dee"]
    for user in users:
        hub.user(user)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda user: start(hub, user, repository.url), users))
    assert hub.image("dan") == hub.image("dee")
    assert len(audit.build_pods_created(hub.namespace)) == 1
    settled(hub, "dee")


def test_the_home_survives_a_change_of_image(hub, new_repository):
    first = new_repository(repositories.tiny)
    second = new_repository(repositories.tiny, more="ENV SECOND=yes\n")
    start(hub, "eli", first.url)
    before = hub.image("eli")
    run_python(hub.server("eli"), "open('/home/jovyan/kept.txt', 'w').write('mine')")
    hub.stop_server("eli")
    start(hub, "eli", second.url)
    assert hub.image("eli") != before
    code = "import os; print(os.environ['SECOND'], open('/home/jovyan/kept.txt').read())"
    assert run_python(hub.server("eli"), code) == "yes mine\n"


def test_a_cancelled_start_does_not_end_the_build(hub, new_repository, audit, build_pods, settled):
    repository = new_repository(repositories.slow, seconds=5)
    hub.build("fred", repository.url)
    until(build_pods, what="a build pod")
    hub.user("fred")("DELETE", "/users/fred/server")
    until(lambda: not hub.state("fred").get("pending"), what="the end of the start")
    assert build_pods()
    start(hub, "fred", repository.url)
    assert len(audit.build_pods_created(hub.namespace)) == 1
    settled(hub, "fred")


def test_a_service_killed_in_mid_build_costs_no_server(hub, new_repository, audit, settled):
    repository = new_repository(repositories.slow, seconds=12)
    hub.build("gus", repository.url)
    until(
        lambda: hub.builder("gus")("GET", "/api/builds").body["builds"][0]["phase"] == "building",
        what="the build's first step",
    )
    hub.kill_service()
    hub.ready("gus", seconds=180)
    assert len(audit.build_pods_created(hub.namespace)) == 1
    settled(hub, "gus")
