"""P1 and the cost of many builds: a real API server, whose pods simulated nodes play.

The service is as in production, its executor too; pods carry annotations that say how long they
are played, and all of them log the same file.
"""

# ruff: noqa: ASYNC110, ASYNC221, ASYNC240 -- what would stand still meanwhile is not what is measured

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks.bench import HEADERS, ROOT, Row, Service, Stage, events, requests
from tests.benchmarks.machine import Cost, percentile
from tests.benchmarks.stubs import line
from tests.benchmarks.watching import latencies
from tests.integration.cluster.audit import AuditLog
from tests.integration.cluster.environment import Program

NODES = 10
VIEWERS = (1, 100, 1000)
#: Builds at once, and the seconds that each runs.
BUILDS = ((10, 15), (100, 20), (1000, 50))
_MISSING = "not measured: no cluster (KUBECONFIG, IB_AUDIT_LOG, IB_SIMULATE_LOG)"
_EXECUTOR = "tests.benchmarks.stubs.SimulatedExecutor"


@dataclass(frozen=True)
class Simulation:
    """A namespace on the real API server, and the log of all its pods."""

    namespace: str
    log: Path
    audit: AuditLog
    api_server: int  #: its process
    kubectl: Program

    def requests(self) -> Counter[str]:
        """What the service asked for, by verb and resource; nodes and scheduler ask as well."""
        counted: Counter[str] = Counter()
        for entry in self.audit.requests(namespace=self.namespace):
            if "python" in entry.get("userAgent", "").lower():
                ref = entry["objectRef"]
                what = "/".join(filter(None, [ref["resource"], ref.get("subresource")]))
                counted[f"{entry['verb']} {what}"] += 1
        return counted

    def running(self) -> int:
        """How many pods run."""
        select = "--field-selector=status.phase=Running"
        return len(self.kubectl("get", "pods", "-n", self.namespace, select, "-o", "name").split())

    async def write(self, rate: float, seconds: float) -> None:
        """Write so many lines per second to the log, for so long."""
        begin = time.monotonic()
        for index in range(round(rate * seconds)):
            due = begin + index / rate
            await asyncio.sleep(max(due - time.monotonic(), 0))
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
            with self.log.open("a") as file:
                file.write(f"{now}000Z stdout F {line(index, due)}\n")


@asynccontextmanager
async def simulation() -> AsyncIterator[Simulation | None]:
    """A simulation of its own; None where there is no cluster."""
    names = ("KUBECONFIG", "IB_AUDIT_LOG", "IB_SIMULATE_LOG")
    if not all(os.environ.get(name) for name in names):
        yield None
        return
    kubectl = Program("kubectl", os.environ["KUBECONFIG"])
    log = Path(os.environ["IB_SIMULATE_LOG"])
    if not log.exists() or "sim-" not in kubectl("get", "nodes", "-o", "name"):
        program = ROOT.parent / "shared" / "cluster" / "cluster"
        subprocess.run([program, "simulate", str(NODES)], check=True, capture_output=True)
    size = log.stat().st_size
    namespace = f"bench-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        audit = AuditLog(Path(os.environ["IB_AUDIT_LOG"]))
        yield Simulation(namespace, log, audit, _process("kube-apiserver"), kubectl)
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
        os.truncate(log, size)  # every pod reads it from its beginning


def _process(name: str) -> int:
    """The process of that program."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path((folder / "cmdline").read_bytes().split(b"\0")[0].decode()).name == name:
                return int(folder.name)
    raise LookupError(name)


def _sections(simulated: Simulation, seconds: int) -> dict:
    return {
        "ImageBuilder": {"executor_class": _EXECUTOR, "linger": 0.5},
        "KubernetesExecutor": {
            "namespace": simulated.namespace,
            "kubeconfig": os.environ["KUBECONFIG"],
            "engine_selector": "",
            "build_image": "repo2docker:simulated",
            "node_selector": {"simulate": "true"},
            "tolerations": [{"key": "simulate", "operator": "Exists"}],
        },
        "SimulatedExecutor": {"run": seconds},
    }


async def api_requests(stage: Stage) -> AsyncIterator[Row]:
    """P1: what one build asks of Kubernetes, whoever watches it."""
    for viewers in VIEWERS:
        async with simulation() as simulated:
            if simulated is None:
                yield Row("P1", "", _MISSING, "<= 6")
                return
            yield await _one_build(stage, simulated, viewers)


async def _one_build(stage: Stage, simulated: Simulation, viewers: int) -> Row:
    service = await stage.service(_sections(simulated, 12))
    await asyncio.sleep(1)  # the list and the watch of all builds are there
    before = simulated.requests()
    (build,) = await requests(service, [f"one-{viewers}"])
    watching = await stage.watch(service, [events(build)] * viewers)
    await simulated.write(20.0, 6.0)  # to its end before that of the pod
    seen = await watching.seen()
    await asyncio.sleep(3)  # the pod is deleted, and the log of requests is written
    asked = simulated.requests() - before
    service.end()
    longest = max(len(one.lines) for one in seen)
    same = sum(len(one.lines) == longest and one.end == "built" for one in seen)
    waited = [value for one in seen for value in latencies(one)]
    p50, p99 = percentile(waited, 0.5), percentile(waited, 0.99)
    what = ", ".join(f"{count} {name}" for name, count in sorted(asked.items()))
    return Row(
        "P1",
        f"{viewers} viewers of one build",
        f"{asked.total()} requests ({what}); {same} viewers got all {longest // 3} lines, p50"
        f" {p50:.0f} ms, p99 {p99:.0f} ms",
        "<= 6",
        {
            "viewers": viewers,
            "requests": asked.total(),
            "by_verb": dict(asked),
            "complete": same,
            "p50_ms": p50,
            "p99_ms": p99,
        },
    )


async def many_builds(stage: Stage) -> AsyncIterator[Row]:
    """The cost of 10 to 1000 builds at once, each with one line per second and no viewer."""
    for builds, seconds in BUILDS:
        async with simulation() as simulated:
            if simulated is None:
                yield Row("COST", "", _MISSING)
                return
            yield await _many(stage, simulated, builds, seconds)


async def _many(stage: Stage, simulated: Simulation, builds: int, seconds: int) -> Row:
    service = await stage.service(_sections(simulated, seconds))
    await asyncio.sleep(1)
    before, server_before = service.cost(), Cost.of(simulated.api_server)
    asked_before = simulated.requests()
    began = time.monotonic()
    await requests(service, [f"many-{builds}-{number}" for number in range(builds)])
    accepted = time.monotonic() - began
    async with asyncio.timeout(seconds):
        while simulated.running() < builds:
            await asyncio.sleep(0.3)
    running = time.monotonic() - began
    await simulated.write(1.0, 8.0)
    most = service.cost()
    await _until(service, builds, "imagebuilder_builds_total", "built")
    took = time.monotonic() - began
    after, server_after = service.cost(), Cost.of(simulated.api_server)
    asked = simulated.requests() - asked_before
    service.end()
    cpu, server_cpu = after.cpu - before.cpu, server_after.cpu - server_before.cpu
    held = (most.rss - before.rss) / builds
    return Row(
        "COST",
        f"{builds} builds of {seconds} s",
        f"accepted in {accepted:.1f} s, all run after {running:.1f} s, all built after {took:.1f}"
        f" s; service {cpu / builds * 1000:.0f} ms CPU and {held:.0f} KiB per build, API server"
        f" {server_cpu / builds * 1000:.0f} ms; {asked.total() / builds:.1f} requests per build",
        "",
        {
            "builds": builds,
            "accepted_s": accepted,
            "running_s": running,
            "built_s": took,
            "service_cpu_s": cpu,
            "service_rss_kib_per_build": held,
            "api_server_cpu_s": server_cpu,
            "requests": asked.total(),
            "by_verb": dict(asked),
        },
    )


async def _until(service: Service, count: int, metric: str, label: str) -> None:
    """Wait until a metric has come to a number."""
    found = 0.0
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for _ in range(900):
            async with session.get(service.url + "metrics") as response:
                text = await response.text()
            found = sum(
                sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name == metric and label in sample.labels.values()
            )
            if found >= count:
                return
            await asyncio.sleep(0.1)
    raise TimeoutError(f"{found} of {count} are {label}: {service.words()}")
