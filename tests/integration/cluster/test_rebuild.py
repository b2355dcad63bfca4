"""An image that is there is built again, in a pod of its own, whatever happens to the service."""

from __future__ import annotations

import pytest

from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.services import new_prefix, service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture
def one(cluster_env, engine, hub_role, tmp_path, build_pods):
    prefix = new_prefix(cluster_env)
    with service(tmp_path / "one", cluster_env, engine, hub_role("hub"), prefix) as found:
        yield found
        # while the service is there to remove them: other tests count what they find
        until(lambda: not build_pods(), what="the end of all build pods", seconds=90)


def rebuilt(one, build_id):
    answer = one.api()("POST", f"/api/builds/{build_id}/rebuild")
    assert answer.status == 202, answer
    return answer.body["id"]


def test_while_the_pod_of_the_first_lingers_and_after_a_kill(one, new_repository, audit, engine):
    repository = new_repository(repositories.tiny)

    def created():
        names = audit.build_pods_created(engine.namespace)
        return sum(repository.folder.name in name for name in names)

    first = one.ask(repository.url).body["id"]
    assert one.outcome(first)["phase"] == "built"
    assert created() == 1

    second = rebuilt(one, first)
    seen = one.api()("POST", "/api/resolve", {"repository": repository.url}).body
    assert (seen["cached"], seen["under_way"], seen["build"]) == (True, True, second)
    assert one.outcome(second)["phase"] == "built"
    assert created() == 2

    third = rebuilt(one, second)
    one.kill()
    one.start()
    assert one.outcome(third)["phase"] == "built"
    assert one.build(third)["cached"] is False
    assert created() == 3
    assert "Traceback" not in one.log

    assert one.api()("DELETE", f"/api/builds/{first}").status == 204
    assert one.api()("GET", f"/api/builds/{first}").status == 404
