"""The stage itself: a plain hub of KubeSpawner's, before any of our parts enter it."""

from __future__ import annotations

import pytest

from tests.integration.cluster.browser import LAB_LIMIT, log_in, run_in_notebook, screenshot
from tests.integration.cluster.web import run_python

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(hub_factory):
    return hub_factory(setup_ui=False, account="stock")


def test_a_server_runs_with_a_home_that_stays(hub):
    assert hub.start("ann").status in {201, 202}
    hub.ready("ann")
    written = run_python(hub.server("ann"), "open('kept.txt', 'w').write('mine')")
    assert written == ""
    hub.stop_server("ann")
    hub.start("ann")
    hub.ready("ann")
    assert run_python(hub.server("ann"), "print(open('/home/jovyan/kept.txt').read())") == "mine\n"
    assert hub.pod("ann")["spec"]["securityContext"]["fsGroup"] == 100


def test_the_hub_is_no_cluster_admin(hub, hub_role, kubectl):
    account = f"system:serviceaccount:{hub.namespace}:stock"

    def may(*what: str) -> str:
        try:
            return kubectl("auth", "can-i", *what, "-n", hub.namespace, "--as", account).strip()
        except RuntimeError:
            return "no"

    assert may("create", "pods") == "yes"
    assert may("list", "events") == "yes"
    assert may("get", "pods", "--subresource=log") == "no"
    assert may("get", "nodes") == "no"
    assert may("patch", "pods") == "no"


@pytest.mark.browser
def test_jupyterlab_opens_in_a_browser(hub, page):
    log_in(page, hub, "ann")
    page.wait_for_url("**/user/ann/lab**", timeout=LAB_LIMIT)
    assert run_in_notebook(page, "print(6 * 7)").strip() == "42"
    screenshot(page, "plain-hub-jupyterlab")
