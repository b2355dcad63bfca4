from __future__ import annotations

import uuid

import pytest

from .cluster import ClusterHarness, Engine
from .harness import FakeKubernetesHarness, ScriptedHarness


@pytest.fixture(
    params=[
        "scripted",
        "kubernetes-in-memory",
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.timeout(300)]),
    ]
)
async def harness(request):
    if request.param == "scripted":
        yield ScriptedHarness()
    elif request.param == "kubernetes-in-memory":
        found = FakeKubernetesHarness()
        await found.executor.start()
        yield found
        await found.executor.close()
    else:
        engine = request.getfixturevalue("engine")
        found = ClusterHarness(engine, request.getfixturevalue("service_account"))
        async with found.running():
            yield found


@pytest.fixture(scope="session")
def engine():
    found = Engine(f"ib-contract-{uuid.uuid4().hex[:6]}")
    try:
        found.install()
        yield found
    finally:
        found.uninstall()


@pytest.fixture(scope="session")
def service_account(engine, tmp_path_factory):
    """A hub's Role and ours beside it."""
    return engine.kubeconfig(tmp_path_factory.mktemp("access"), logs=True)


@pytest.fixture(scope="session")
def stock_service_account(engine, tmp_path_factory):
    """A hub's Role alone: no ``pods/log``."""
    return engine.kubeconfig(tmp_path_factory.mktemp("access"), logs=False)
