"""Starts that wait for a build do not use up the hub's room for other starts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.cluster import repositories

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

WAITING = 100
#: zero-to-jupyterhub's, of which at most a quarter may wait for builds.
CONCURRENT_SPAWN_LIMIT = 64


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory(
        sections={
            "JupyterHub": {"concurrent_spawn_limit": CONCURRENT_SPAWN_LIMIT},
        }
    )


def test_a_hundred_waiting_starts_leave_room_for_another(
    hub, new_repository, audit, kubectl, settled
):
    repository = new_repository(repositories.slow, seconds=60)
    users = [f"load{number}" for number in range(WAITING)]
    names = {"usernames": [*users, "other"]}
    assert hub.admin("POST", "/users", names).status == 201

    def ask(user):
        return hub.admin(
            "POST", f"/users/{user}/server", {"image--unlisted-choice": repository.url}
        )

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, users))
    accepted = [answer for answer in answers if answer.status == 202]
    told = [answer.message for answer in answers if answer.status >= 400]
    assert len(accepted) + len(told) == WAITING

    hub.start("other")
    hub.ready("other", seconds=40)
    waiting = [user for user in users if hub.state(user).get("pending") == "spawn"]
    assert 0 < len(waiting) <= CONCURRENT_SPAWN_LIMIT // 4
    assert [message for message in told if "still-building" not in message] == []
    created = audit.build_pods_created(hub.namespace)
    assert len(created) == 1

    for user in waiting:
        hub.admin("DELETE", f"/users/{user}/server")
    kubectl("delete", "pod", created[0], "-n", hub.namespace, "--grace-period=1")
    settled(hub, "other")
