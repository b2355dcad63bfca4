from __future__ import annotations

import logging

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.metrics import CONTENT_TYPE, Metrics
from tests.unit.web.support import ADMIN, ALICE, OWN, FakeHub

SERVICE = "prometheus-token"


@pytest.fixture
def metrics(web):
    web.hub.owners = FakeHub.owners | {SERVICE: Owner("prometheus", OwnerKind.SERVICE)}
    counted = Metrics(
        registry=CollectorRegistry(),
        clock=web.clock,
        queued=int,
        viewers=web.backend.streams.__len__,
    )
    web.backend.metrics = counted.render
    return counted


async def scraped(web, **kwargs):
    async with web.request("GET", "metrics", **kwargs) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == CONTENT_TYPE
        text = await response.text()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("token", [OWN, ADMIN, SERVICE])
async def test_metrics_are_for_admins_and_services(web, metrics, token):
    assert (await scraped(web, token=token))["imagebuilder_viewers",] == 0


@pytest.mark.parametrize(
    ("token", "status", "reason"),
    [(None, 401, "authentication-required"), (ALICE, 403, "access-denied")],
)
async def test_metrics_are_for_nobody_else(web, metrics, token, status, reason):
    found, error = await web.json("GET", "metrics", token=token)
    assert (found, error["reason"]) == (status, reason)
    async with web.request("HEAD", "metrics", token=token) as response:
        assert response.status == status


async def test_metrics_are_open_where_the_admin_says_so(web, metrics):
    web.backend.authenticate_metrics = False
    assert ("imagebuilder_viewers",) in await scraped(web, token=None)


async def test_open_streams_are_the_viewers(web, metrics):
    build = web.builds.next_build
    web.builds.known[build.id] = build
    async with web.request("GET", f"api/builds/{build.id}/events") as response:
        await response.content.readline()
        assert (await scraped(web, token=ADMIN))["imagebuilder_viewers",] == 1
    build.release()


async def test_metrics_are_there_before_the_domain_is(web, metrics):
    web.backend.builds = None
    assert ("imagebuilder_viewers",) in await scraped(web, token=ADMIN)


async def test_scrapes_do_not_fill_the_log(web, metrics, caplog):
    caplog.set_level(logging.INFO, logger="jupyterhub_imagebuilder")
    await scraped(web, token=ADMIN)
    assert "metrics" not in caplog.text
