"""With zero-to-jupyterhub's Role as it is a build works; its log comes at the end."""

from __future__ import annotations

import pytest

from tests.integration.cluster import repositories

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory(account="stock")


def test_a_build_works_without_the_right_to_read_logs(hub, new_repository, audit, settled):
    repository = new_repository(repositories.tiny)
    hub.build("ann", repository.url)
    hub.ready("ann")
    assert "@sha256:" in hub.image("ann")
    settled(hub, "ann")
    refused = {
        (entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("subresource"))
        for entry in audit.requests(user=":stock", namespace=hub.namespace)
        if entry["responseStatus"]["code"] == 403
    }
    assert refused <= {("get", "pods", "log")}


def test_the_end_of_a_failed_builds_log_is_there_all_the_same(hub, new_repository, settled):
    repository = new_repository(repositories.broken)
    hub.build("ben", repository.url)
    told = hub.progress("ben")
    assert "build-failed" in told[-1]["message"]
    everything = "\n".join(event.get("message", "") for event in told)
    assert "this-package-does-not-exist-0001" in everything
    settled(hub, "ben")
