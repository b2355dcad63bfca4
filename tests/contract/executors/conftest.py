from __future__ import annotations

import os
import uuid

import pytest

from .cluster import ClusterHarness, Engine
from .engine import DockerHarness, credentials
from .harness import FakeEngineHarness, FakeKubernetesHarness, ScriptedHarness


@pytest.fixture(
    params=[
        "scripted",
        "kubernetes-in-memory",
        "docker-in-memory",
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.timeout(240)]),
        pytest.param(
            "docker-and-registry",
            marks=[pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(240)],
        ),
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.timeout(300)]),
    ]
)
async def harness(request, tmp_path):
    if request.param == "scripted":
        yield ScriptedHarness()
    elif request.param == "kubernetes-in-memory":
        found = FakeKubernetesHarness()
        await found.executor.start()
        yield found
        await found.executor.close()
    elif request.param == "docker-in-memory":
        found = FakeEngineHarness()
        yield found
        await found.executor.close()
    elif request.param == "docker":
        async with DockerHarness().running() as found:
            yield found
    elif request.param == "docker-and-registry":
        file = str(credentials(tmp_path))
        found = DockerHarness(registry=os.environ["IB_REGISTRY"], push_config_file=file)
        async with found.running():
            yield found
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
