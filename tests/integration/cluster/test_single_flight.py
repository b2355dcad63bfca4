"""Two services in one namespace, asked for the same at every bad moment: one pod, one digest."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.services import enters, new_prefix, says, service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def pair(cluster_env, engine, hub_role, tmp_path_factory):
    """An old service that still lives, and the new one: nothing in common but the namespace."""
    prefix, folder = new_prefix(cluster_env), tmp_path_factory.mktemp("services")
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                service(folder / name, cluster_env, engine, hub_role("hub"), prefix)
            )
            for name in ("old", "new")
        ]


@pytest.fixture
def created(audit, engine):
    """How many pods were created for a repository so far."""

    def count(repository):
        names = audit.build_pods_created(engine.namespace)
        return sum(repository.folder.name in name for name in names)

    return count


@pytest.fixture
def delete_pod(build_pods, kubectl, engine):
    """Deletes the only build pod, as anyone may."""

    def delete():
        (name,) = build_pods()
        kubectl("delete", "pod", name, "-n", engine.namespace, "--wait=false")

    return delete


@pytest.fixture(autouse=True)
def no_pod_left(build_pods, pair):
    yield
    until(lambda: not build_pods(), what="the end of all build pods", seconds=40)
    for each in pair:
        assert "a fault of the image builder" not in each.log
        assert "Traceback" not in each.log


def wanted(one, repository):
    """Ask, and wait for the end: its last event."""
    answer = one.ask(repository.url)
    assert answer.status in {200, 202}, answer
    return one.outcome(answer.body["id"])


def digests(outcomes):
    assert {outcome["phase"] for outcome in outcomes} == {"built"}, outcomes
    found = {outcome["digest"] for outcome in outcomes}
    assert all(map(DIGEST.fullmatch, found)), found
    return found


def at_once(pair, repository, each=3):
    """Ask all of them at the same instant, several times; the last events."""
    gate = threading.Barrier(len(pair) * each)

    def ask(one):
        gate.wait()
        return wanted(one, repository)

    with ThreadPoolExecutor(len(pair) * each) as pool:
        return list(pool.map(ask, pair * each))


def test_at_the_same_time(pair, new_repository, created):
    made = [new_repository(repositories.tiny) for _ in range(4)]
    for repository in made:
        assert len(digests(at_once(pair, repository))) == 1
    assert [created(repository) for repository in made] == [1] * 4


def test_while_the_claim_of_the_other_is_under_way(pair, new_repository, created):
    delays = [0.0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6]
    made = [new_repository(repositories.tiny) for _ in delays]
    for number, (delay, repository) in enumerate(zip(delays, made, strict=True)):
        first, second = pair[:: 1 if number % 2 else -1]

        def later(one=second, wait=delay, what=repository):
            time.sleep(wait)
            return wanted(one, what)

        with ThreadPoolExecutor(2) as pool:
            outcomes = [pool.submit(wanted, first, repository), pool.submit(later)]
            assert len(digests([outcome.result() for outcome in outcomes])) == 1
    assert [created(repository) for repository in made] == [1] * len(made)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3, 1.0, 5.0, 5.3, 6.0])
def test_as_it_ends(pair, new_repository, created, delay):
    """From the push to the deletion, which comes 5 s after the end."""
    old, new = pair
    repository = new_repository(repositories.tiny)
    build = old.ask(repository.url).body["id"]
    old.until_event(build, enters("built" if delay >= 1 else "pushing"))
    time.sleep(delay)
    outcomes = [wanted(new, repository), old.outcome(build), *at_once(pair, repository)]
    assert len(digests(outcomes)) == 1
    assert created(repository) == 1


@pytest.mark.parametrize("delay", [0.0, 0.2, 1.0, 2.5])
def test_while_the_pod_is_being_deleted(pair, new_repository, created, delete_pod, delay):
    old, _ = pair
    repository = new_repository(repositories.slow, seconds=4)
    build = old.ask(repository.url).body["id"]
    old.until_event(build, says("TICK 2"))
    delete_pod()
    time.sleep(delay)
    early = at_once(pair, repository)
    lost = [outcome for outcome in [old.outcome(build), *early] if outcome["phase"] == "failed"]
    # whoever still joined the one that was deleted hears of it
    assert {outcome["reason"] for outcome in lost} <= {"executor-lost"}
    assert old.outcome(build)["phase"] == "failed"
    assert len(digests(at_once(pair, repository))) == 1
    assert created(repository) == 2


def test_right_after_cancel(pair, new_repository, created):
    old, new = pair
    repository = new_repository(repositories.slow, seconds=3)
    build = old.ask(repository.url).body["id"]
    old.until_event(build, says("TICK 1"))
    assert old.api()("POST", f"/api/builds/{build}/cancel").status == 200
    outcomes = [wanted(new, repository), wanted(old, repository)]
    assert len(digests(outcomes)) == 1
    assert old.build(build)["phase"] == "cancelled"
    assert created(repository) == 2


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2])
def test_while_it_is_cancelled(pair, new_repository, created, delay):
    old, _ = pair
    repository = new_repository(repositories.slow, seconds=3)
    build = old.ask(repository.url).body["id"]
    old.until_event(build, says("TICK 1"))
    with ThreadPoolExecutor(1) as pool:
        cancel = pool.submit(old.api(), "POST", f"/api/builds/{build}/cancel")
        time.sleep(delay)
        early = at_once(pair, repository)
        assert cancel.result().body["phase"] == "cancelled"
    ended = {(outcome["phase"], outcome["reason"]) for outcome in early}
    # the other process does not know who stopped it
    assert ended <= {("built", None), ("cancelled", "cancelled"), ("failed", "executor-lost")}
    assert len(digests(at_once(pair, repository))) == 1
    assert created(repository) == 2
