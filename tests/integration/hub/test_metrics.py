"""The service's metrics behind a real hub, let in as the documentation says."""

from __future__ import annotations

import re

import pytest
import requests

from .hubs import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to" / "monitor.md"
PROMETHEUS = "d" * 40

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def monitored(start_hub, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_HUB_TOKEN", PROMETHEUS)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return start_hub("setup_ui(c)\n" + block)


def users_token(hub, name):
    scope = "access:services!service=imagebuilder"
    answer = hub.api("POST", f"users/{name}/tokens", json={"scopes": [scope], "expires_in": 60})
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def scrape(hub, token):
    return requests.get(
        f"{hub.url}/services/imagebuilder/metrics",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=30,
    )


def test_prometheus_and_admins_read_metrics_and_users_do_not(monitored):
    answer = scrape(monitored, PROMETHEUS)
    assert answer.status_code == 200, (answer.text, monitored.text())
    assert 'imagebuilder_builds_total{outcome="built",reason=""} 0.0' in answer.text
    metrics = requests.get(
        f"{monitored.url}/hub/metrics",
        headers={"Authorization": f"Bearer {PROMETHEUS}"},
        timeout=30,
    )
    assert metrics.status_code == 200
    monitored.add_users("ordinary")
    assert scrape(monitored, users_token(monitored, "admin")).status_code == 200
    assert scrape(monitored, users_token(monitored, "ordinary")).status_code == 403
    assert scrape(monitored, None).status_code == 401
