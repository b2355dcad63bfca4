"""Services that meet faults, and what has to hold after each of them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.environment import Program
from tests.integration.cluster.faults import servers
from tests.integration.cluster.faults.kubelet_log import kept_lines
from tests.integration.cluster.faults.parts import Parts
from tests.integration.cluster.faults.service import Service
from tests.integration.cluster.faults.viewer import Viewer
from tests.integration.cluster.polling import until

ServiceFactory = Callable[..., Service]
#: Seconds within which a failure must have reached its viewers once Kubernetes has told its cause,
#: and its pod must have gone: what the product promises as "within seconds".
PROMPT = 15
#: Seconds for which a finished build's pod, and with it the kubelet's file, stays where both logs
#: are compared.
LINGER = 8


@pytest.fixture(scope="session")
def parts(cluster_env) -> Parts:
    """The parts of a cluster that may be killed, all of them running again afterwards."""
    found = Parts(Path(cluster_env.kubeconfig).parent)
    absent = found.missing()
    if absent:
        # somebody else's cluster; like every skip it fails a run that requires something
        pytest.skip(f"no cluster whose parts can be killed: {absent}")
    return found


@pytest.fixture
def broken_part(parts) -> Iterator[Parts]:
    """The same, for a test that kills: whatever happens, the next one finds all parts at work."""
    yield parts
    parts.ask_anew()


@pytest.fixture(scope="module")
def image_prefix(cluster_env) -> str:
    """Of all services of a module: what one failed to build is the same image to the next."""
    return f"{cluster_env.registry}/t-{secrets.token_hex(4)}/"


@pytest.fixture(scope="module")
def sections(cluster_env, engine, image_prefix, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """Settings of a service that works."""
    credentials = tmp_path_factory.mktemp("credentials") / "config.json"
    login = {"username": cluster_env.username, "password": cluster_env.password}
    credentials.write_text(json.dumps({"auths": {cluster_env.registry: login}}))
    return {
        "ImageBuilder": {"image_prefix": image_prefix, "linger": 1, "confirm_timeout": 5},
        "KubernetesExecutor": {
            "namespace": engine.namespace,
            "engine_socket_dir": engine.socket_dir,
            "push_secret": engine.push_secret,
            "build_image": f"{cluster_env.open_registry}/repo2docker:1",
        },
        "DistributionRegistry": {
            "ca_file": cluster_env.ca,
            "credentials_file": str(credentials),
        },
        "HostProvider": {"allowed_networks": [cluster_env.node_address]},
    }


@pytest.fixture(scope="module")
def start_service(sections, hub_role, request, tmp_path_factory) -> Iterator[ServiceFactory]:
    """Starts services with settings of a section changed; all of them end with the module.

    ``account`` says as whom.
    """
    with ExitStack() as stack:

        def start(account: str = "hub", **changed: dict[str, Any]) -> Service:
            names = sections.keys() | changed.keys()
            settings = {name: sections.get(name, {}) | changed.get(name, {}) for name in names}
            service = Service(tmp_path_factory.mktemp("service"), hub_role(account), settings)
            # where a failed test's report looks for logs
            module = request.node
            module.hubs = [*getattr(module, "hubs", []), service]
            stack.callback(service.end)
            service.start()
            return service

        yield start


@pytest.fixture(scope="module")
def service(start_service) -> Service:
    """One that works."""
    return start_service()


@dataclass(frozen=True)
class Failure:
    """How a build ended."""

    reason: str
    message: str
    seconds: float  #: since the cause


@dataclass(frozen=True)
class Fault:
    """What a test of one fault checks, and tells for the table."""

    name: str
    service: Service  #: that builds what could not be built
    figure: Callable[[str], None]

    def tell(self, text: str) -> None:
        """Take a measured figure for the end of the report."""
        self.figure(f"{self.name}: {text}")

    def fails(self, viewer: Viewer, *, within: float) -> Failure:
        """Wait for the failure of a build; the cause is there now.

        :param within: seconds.
        """
        begin = time.monotonic()
        last = viewer.end(within)
        seconds = max(0.0, viewer.last_at - begin)
        assert last["phase"] == "failed", last
        self.tell(f"{last['reason']} after {seconds:.1f} s: {last['message']}")
        return Failure(last["reason"], last["message"], seconds)

    def builds_now(self, repository: str, failed: Viewer, by: Service | None = None) -> None:
        """Check that the very image that could not be built before can be built now.

        :param by: the service that builds it, where it is not the one that always works.
        """
        service, begin = by or self.service, time.monotonic()
        viewer = service.build(repository)
        last = viewer.end(60)
        assert last["phase"] == "built", last
        # its name follows from the whole key
        assert viewer.image == failed.image
        assert not service.document(viewer)["cached"]
        self.tell(f"built afterwards in {time.monotonic() - begin:.1f} s")


@pytest.fixture
def fault(service, figure, request) -> Fault:
    return Fault(request.node.name, service, figure)


@dataclass(frozen=True)
class BuildPod:
    """The only build pod there is."""

    kubectl: Program
    namespace: str
    pods: Callable[[], list[str]]

    def name(self) -> str:
        """Its name, once it is there."""
        return until(self.pods, what="a build pod", every=0.05)[0]

    def phase(self) -> str:
        """Kubernetes' own word for how it is."""
        pod = ("pod", self.name(), "-n", self.namespace)
        return self.kubectl("get", *pod, "-o", "jsonpath={.status.phase}")

    def delete(self, *how: str) -> None:
        """Delete it as somebody would, with kubectl."""
        self.kubectl("delete", "pod", self.name(), "-n", self.namespace, "--wait=false", *how)

    def evict(self) -> None:
        """Have it evicted, as by one who drains its node."""
        name = self.name()
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.namespace},
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


@pytest.fixture
def build_pod(kubectl, hub_namespace, build_pods) -> BuildPod:
    return BuildPod(kubectl, hub_namespace, build_pods)


@pytest.fixture
def no_pod_left(build_pods) -> Callable[[], None]:
    """Checks that what failed left nothing."""

    def check() -> None:
        until(lambda: not build_pods(), what="the end of all build pods", seconds=2 * PROMPT)

    return check


@pytest.fixture
def cordoned(parts, kubectl) -> Callable[[], AbstractContextManager[None]]:
    """Keeps the scheduler from using any node for a while."""

    def nodes(verb: str) -> None:
        kubectl(verb, *kubectl("get", "nodes", "-o", "name").split())

    @contextmanager
    def for_a_while() -> Iterator[None]:
        nodes("cordon")
        try:
            yield
        finally:
            nodes("uncordon")

    return for_a_while


@pytest.fixture(scope="module")
def lingering(start_service):
    """A service that leaves the time to read what the kubelet kept."""
    return start_service(ImageBuilder={"linger": LINGER})


@pytest.fixture
def pods_created(audit, engine):
    """Names of the build pods that were created since the test began."""
    return lambda: audit.build_pods_created(engine.namespace)


@pytest.fixture
def is_exact(engine, fault):
    """Checks that a viewer of a build that went through saw its log: all of it, once, in order."""

    def check(viewer):
        assert viewer.end(60)["phase"] == "built"
        assert viewer.gaps == []
        uid = viewer.ids[0].rpartition(":")[0]
        assert viewer.ids == [f"{uid}:{index}" for index in range(len(viewer.ids))]
        kept = until(lambda: _complete(kept_lines(engine.namespace, uid)), what="the log's end")
        # what repo2docker says behind the push comes after the build's end
        assert viewer.lines == kept[: len(viewer.lines)]
        behind = kept[len(viewer.lines) :]
        assert not any("TICK" in line or "pushing" in line for line in behind)
        fault.tell(f"{len(viewer.lines)} lines exact, {len(behind)} came behind the end")

    return check


def _complete(lines):
    return lines if any("DONE" in line for line in lines[-8:]) else None


@pytest.fixture
def registry(unverified_registry, tmp_path):
    """A running registry of the test's own."""
    found = servers.registry(tmp_path, unverified_registry)
    if found is None:
        # like every skip it fails a run that requires something: see tests/conftest.py
        pytest.skip("docker-registry is not installed: no registry of the test's own")
    found.start()
    yield found
    found.kill()
