"""The cluster, a namespace with an engine, and hubs that run as zero-to-jupyterhub's would."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.integration.cluster import access, environment
from tests.integration.cluster import engine as node_side
from tests.integration.cluster.audit import AuditLog
from tests.integration.cluster.browser import ARGUMENTS, screenshot
from tests.integration.cluster.environment import ClusterEnv, Program
from tests.integration.cluster.hub import Hub, running_hub
from tests.integration.cluster.polling import until
from tests.integration.cluster.repositories import Repository, repository


@pytest.fixture(scope="session")
def cluster_env() -> ClusterEnv:
    """Where the cluster is.

    Without a cluster the tests here are skipped by their marker, before any fixture; one that is
    described in part is a mistake.
    """
    absent = environment.missing()
    assert not absent, f"the cluster is described only in part: {', '.join(absent)} not set"
    return environment.read()


@pytest.fixture(scope="session")
def kubectl(cluster_env) -> Program:
    return Program("kubectl", cluster_env.kubeconfig)


@pytest.fixture(scope="session")
def helm(cluster_env) -> Program:
    return Program("helm", cluster_env.kubeconfig)


def _new_namespace(kubectl: Program) -> Iterator[str]:
    name = f"ib-test-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def namespace(kubectl) -> Iterator[str]:
    """An empty namespace of the module's own."""
    yield from _new_namespace(kubectl)


@pytest.fixture(scope="session")
def hub_namespace(kubectl) -> Iterator[str]:
    """Where hubs, engine and builds live, as in most installations."""
    yield from _new_namespace(kubectl)


@pytest.fixture(scope="session")
def unverified_registry(cluster_env) -> str:
    """An address of this machine on which nothing listens until a test does."""
    with socket.socket() as one:
        one.bind((cluster_env.node_address, 0))
        return f"{cluster_env.node_address}:{one.getsockname()[1]}"


@pytest.fixture(scope="session")
def hub_role(kubectl, hub_namespace, tmp_path_factory) -> Callable[[str], Path]:
    """Kubeconfig of an account: ``hub`` has the chart's additions, ``stock`` has not."""
    for account in ("hub", "stock"):
        access.create_hub_account(kubectl, hub_namespace, account)
    folder = tmp_path_factory.mktemp("access")
    return lambda account: access.kubeconfig_of(kubectl, hub_namespace, account, folder)


@pytest.fixture(scope="session")
def engine(cluster_env, kubectl, helm, hub_namespace, unverified_registry) -> node_side.Engine:
    """Our chart, installed as an admin would; its engine is Ready."""
    return node_side.install(cluster_env, kubectl, helm, hub_namespace, unverified_registry)


BUILD_PODS = (
    "app.kubernetes.io/managed-by=jupyterhub-imagebuilder,app.kubernetes.io/component=build"
)
HubFactory = Callable[..., Hub]
_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="module")
def hub_factory(cluster_env, kubectl, hub_namespace, hub_role, request) -> Iterator[HubFactory]:
    """Starts hubs; all of them end with the module.

    ``account`` says as whom, ``sections`` holds the admin's settings, ``profile_list`` theirs.
    Without ``setup_ui`` it is a plain KubeSpawner hub.
    """
    with ExitStack() as stack:

        def start(
            *,
            account: str = "hub",
            setup_ui: bool = True,
            profile_list: Any = None,
            sections: dict[str, dict[str, Any]] | None = None,
        ) -> Hub:
            ours = {}
            if setup_ui:
                ours = _settings(cluster_env, request.getfixturevalue("engine"))
            for name, values in (sections or {}).items():
                ours[name] = ours.get(name, {}) | values
            settings = {
                "namespace": hub_namespace,
                "image": cluster_env.singleuser,
                "node_address": cluster_env.node_address,
                "setup_ui": setup_ui,
                "profile_list": profile_list,
                "sections": ours,
            }
            folder = request.getfixturevalue("tmp_path_factory").mktemp("hub")
            hub = stack.enter_context(running_hub(folder, hub_role(account), kubectl, settings))
            stack.callback(_forget, kubectl, hub)
            request.node.hubs = [*getattr(request.node, "hubs", []), hub]
            return hub

        yield start


def _settings(env: ClusterEnv, engine: node_side.Engine) -> dict[str, dict[str, Any]]:
    """What an admin of this cluster sets; a prefix of its own keeps a hub's images apart."""
    return {
        "ImageBuilder": {
            "image_prefix": f"{env.registry}/t-{secrets.token_hex(4)}/",
            "linger": 3,
        },
        "KubernetesExecutor": {
            "namespace": engine.namespace,
            "engine_socket_dir": engine.socket_dir,
            "push_secret": engine.push_secret,
            "build_image": f"{env.open_registry}/repo2docker:1",
        },
        "DistributionRegistry": {"ca_file": env.ca},
        # the Git server of this cluster has a private address
        "HostProvider": {"allowed_networks": [env.node_address]},
    }


def _forget(kubectl: Program, hub: Hub) -> None:
    """Delete the servers that a hub leaves behind when it stops, and their homes."""
    found = kubectl("get", "pods,pvc", "-n", hub.namespace, "-o", "name").split()
    mine = [name for name in found if name.partition("/")[2].startswith(f"{hub.id}-")]
    if mine:
        kubectl("delete", "-n", hub.namespace, "--wait=false", "--grace-period=1", *mine)


@pytest.fixture(scope="module")
def browser(chromium) -> Iterator[Browser]:
    """Chromium; per module, because Playwright keeps an event loop for as long as it runs."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            yield launched
        finally:
            launched.close()


@pytest.fixture
def page(browser, request) -> Iterator[Page]:
    """A tab of its own, without cookies; a failed test leaves a picture of it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    try:
        yield tab
        if request.node.stash.get(_FAILED, False):
            screenshot(tab, f"failed-{request.node.name}")
    finally:
        context.close()


@pytest.fixture
def new_repository(cluster_env) -> Iterator[Callable[..., Repository]]:
    """Makes repositories of a kind of ``repositories``; they are gone after the test."""
    with ExitStack() as stack:

        def make(kind: Callable[..., str], **details: Any) -> Repository:
            return stack.enter_context(repository(cluster_env, kind(cluster_env, **details)))

        yield make


@pytest.fixture
def audit(cluster_env) -> AuditLog:
    """The API server's requests since the test began."""
    return AuditLog(Path(cluster_env.audit_log))


@pytest.fixture
def build_pods(kubectl, hub_namespace) -> Callable[[], list[str]]:
    """Names of the build pods that exist now."""

    def pods() -> list[str]:
        found = kubectl("get", "pods", "-n", hub_namespace, "-l", BUILD_PODS, "-o", "name")
        return [name.removeprefix("pod/") for name in found.split()]

    return pods


@pytest.fixture
def settled(build_pods) -> Callable[[Hub, str], None]:
    """Checks what has to hold after every build, good or bad."""

    def check(hub: Hub, user: str) -> None:
        until(lambda: not build_pods(), what="the end of all build pods", seconds=30)
        assert hub.alive()
        # a user whose server runs gets no form
        asking = "onlooker" if hub.state(user).get("ready") else user
        assert 'name="profile"' in hub.form(asking)

    return check


_FIGURES: list[str] = []


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Takes a measured figure for the end of the report."""
    return _FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter):
    """Tell what was measured."""
    if _FIGURES:
        terminalreporter.section("measured on the cluster")
        for line in _FIGURES:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]):
    """Let a failure show what the hubs of its module said."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
        module = item.getparent(pytest.Module)
        for hub in getattr(module, "hubs", []):
            report.sections.append((f"log of hub {hub.id}", hub.tail(100)))
    return report
