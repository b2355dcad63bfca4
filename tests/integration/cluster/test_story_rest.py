"""The story by REST: a repository's name goes in, a server with its packages comes out."""

from __future__ import annotations

import re
import time

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.web import run_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory()


def first_build(hub, user):
    """The newest build that the user sees, once there is one."""
    builds = until(
        lambda: hub.builder(user)("GET", "/api/builds").body["builds"], what="the user's build"
    )
    return builds[0]


def test_a_repository_becomes_a_server(hub, new_repository, audit, settled, figure):
    repository = new_repository(repositories.hello)
    began = time.monotonic()
    assert hub.build("rita", repository.url).status == 202
    build = first_build(hub, "rita")
    assert build["commit"] == repository.head()
    path = f"/api/builds/{build['id']}/events"
    timed = [(time.monotonic(), event) for event in hub.builder("rita").events(path)]
    events = [event for _, event in timed]

    logged = [event["text"] for event in events if event["type"] == "log"]
    assert any("cowsay" in line for line in logged)
    phases = [event["phase"] for event in events if event["type"] == "phase"]
    order = ["waiting", "fetching", "building", "pushing", "built"]
    assert list(dict.fromkeys(phases)) == order
    assert events[-1]["phase"] == "built"
    prefix = re.escape(hub.image_prefix)
    assert re.fullmatch(rf"{prefix}.+@sha256:[0-9a-f]{{64}}", events[-1]["image"])
    assert events[-1]["image"].endswith(events[-1]["digest"])

    hub.ready("rita")
    assert hub.image("rita") == events[-1]["image"]
    assert "moo" in run_python(hub.server("rita"), "import cowsay; cowsay.cow('moo')")
    settled(hub, "rita")
    assert len(audit.build_pods_created(hub.namespace)) == 1

    first_line = next(at for at, event in timed if event["type"] == "log")
    pushed = max(at for at, event in timed if event["type"] == "log")
    figure(f"Start to the log's first line: {first_line - began:.2f} s")
    figure(
        f"last line of the log (push finished) to image announced: {timed[-1][0] - pushed:.2f} s"
    )
    figure(f"Kubernetes requests for this build: {dict(audit.about_builds(hub.namespace))}")


def test_the_progress_shows_the_log_and_then_the_server(hub, new_repository, settled):
    repository = new_repository(repositories.slow, seconds=4)
    hub.build("paul", repository.url)
    told = [(time.monotonic(), event) for event in hub.progress("paul")]
    messages = "\n".join(event.get("message", "") for _, event in told)
    assert messages.count("TICK") >= 8
    assert "TICK 1\n" in messages
    assert told[-1][1]["ready"] is True
    assert all("<script" not in event.get("html_message", "") for _, event in told)
    settled(hub, "paul")


def test_a_branch_and_a_commit_can_be_named(hub, new_repository, settled):
    repository = new_repository(repositories.tiny)
    old = repository.head()
    repository.branch("release")
    repository.commit()
    for ref in ("release", old, old[:8]):
        made = hub.builder("rosa")("POST", "/api/builds", {"repository": f"{repository.url}@{ref}"})
        assert made.status in {200, 202}, made
        assert made.body["commit"] == old
    made = hub.builder("rosa")("POST", "/api/builds", {"repository": repository.url})
    assert made.body["commit"] == repository.head() != old
    settled(hub, "rosa")


def test_binderhubs_clients_build_too(hub, new_repository, settled):
    repository = new_repository(repositories.tiny)
    quoted = repository.url.replace(":", "%3A").replace("/", "%2F")
    frames = list(hub.builder("rene").events(f"/build/git/{quoted}/main?build_only=true"))
    assert frames[-1]["phase"] == "ready"
    assert frames[-1]["imageName"].startswith(hub.image_prefix)
    settled(hub, "rene")


def test_a_stranger_may_not_ask(hub):
    answer = type(hub.admin)(hub.builder("rita").url, "no-token")("GET", "/api/builds")
    assert answer.status == 401
    assert answer.body["reason"] == "authentication-required"


def test_health_names_what_answers(hub):
    health = hub.builder("rita")("GET", "/health")
    assert health.status == 200, health
    assert all(check["ok"] for check in health.body["checks"])
