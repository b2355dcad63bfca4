"""P6 and P7 with everything real: kubelet, engine, repo2docker, registry with a login."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from jupyterhub_imagebuilder.executors.repo2docker import PushEnd, read_line
from tests.benchmarks.bench import HEADERS, Row, Service, Stage
from tests.benchmarks.machine import percentile
from tests.integration.cluster import engine, environment, repositories
from tests.integration.cluster.environment import ClusterEnv, Program

TIMES = 4


@dataclass
class Installation:
    """A namespace with an engine that is ready."""

    env: ClusterEnv
    engine: engine.Engine
    kubectl: Program

    def sections(self) -> dict[str, dict[str, Any]]:
        """The configuration of a service that builds there."""
        return {
            "ImageBuilder": {
                "image_prefix": f"{self.env.registry}/bench-{secrets.token_hex(3)}/",
                "executor_class": "jupyterhub_imagebuilder.executors.kubernetes.executor."
                "KubernetesExecutor",
                "provider_classes": ["jupyterhub_imagebuilder.providers.git.GitProvider"],
                "linger": 20.0,
            },
            "KubernetesExecutor": {
                "namespace": self.engine.namespace,
                "kubeconfig": self.env.kubeconfig,
                "engine_socket_dir": self.engine.socket_dir,
                "push_secret": self.engine.push_secret,
                "build_image": f"{self.env.open_registry}/repo2docker:1",
            },
            "DistributionRegistry": {"ca_file": self.env.ca, "insecure": False},
            "HostProvider": {"allowed_networks": [self.env.node_address]},
        }

    def pushed(self, image: str) -> float:
        """When the log of the build of that image said that it is pushed, in epoch seconds."""
        pods = self.kubectl(
            "get", "pods", "-n", self.engine.namespace, "-o",
            'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations}{"\\n"}{end}',
        )  # fmt: skip
        tag = image.rpartition(":")[2]
        (name,) = (line.split()[0] for line in pods.splitlines() if tag in line)
        end = PushEnd()
        log = self.kubectl("logs", "-n", self.engine.namespace, name, "--timestamps")
        for line in log.splitlines():
            written, _, text = line.partition(" ")
            if end.seen_in(read_line(text).text):
                return datetime.fromisoformat(written[:26] + "+00:00").timestamp()
        raise LookupError(log[-500:])


@contextmanager
def installation() -> Iterator[Installation]:
    """An installation of its own, for as long as it is measured."""
    env = environment.read()
    kubectl, helm = (Program(name, env.kubeconfig) for name in ("kubectl", "helm"))
    namespace = f"bench-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    try:
        unverified = f"{env.node_address}:1"
        yield Installation(env, engine.install(env, kubectl, helm, namespace, unverified), kubectl)
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


@dataclass
class Seen:
    """What a client saw of one build; moments are epoch seconds."""

    asked: float
    first: float = 0.0  #: the first line of the log
    end: float = 0.0
    image: str = ""


async def real_builds(stage: Stage) -> AsyncIterator[Row]:
    """P6 and P7 with real builds, one after the other."""
    if environment.missing():
        yield Row("REAL", "", f"not measured: {', '.join(environment.missing())} not set")
        return
    pushed, first, whole = [], [], []
    with (
        installation() as made,
        repositories.repository(made.env, repositories.tiny(made.env)) as (repository),
    ):
        service = await stage.service(made.sections())
        for _ in range(TIMES):
            seen = await _build(service, repository.url, repository.commit())
            pushed.append((seen.end - made.pushed(seen.image)) * 1000)
            first.append(seen.first - seen.asked)
            whole.append(seen.end - seen.asked)
        service.end()
    yield Row(
        "P6",
        f"{TIMES} real builds, BuildKit's word",
        f"p50 {percentile(pushed, 0.5):.0f} ms, worst {max(pushed):.0f} ms",
        "< 200 ms",
        {"ms": pushed},
    )
    yield Row(
        "P7",
        f"{TIMES} real builds",
        f"first line after p50 {percentile(first, 0.5):.2f} s, worst {max(first):.2f} s;"
        f" image after p50 {percentile(whole, 0.5):.2f} s",
        "",
        {"first_s": first, "whole_s": whole},
    )


async def _build(service: Service, repository: str, commit: str) -> Seen:
    document = json.dumps({"repository": repository, "commit": commit})
    seen = Seen(time.time())
    url = service.url + "api/builds"
    async with aiohttp.ClientSession(headers=HEADERS) as session, asyncio.timeout(90):
        async with session.post(url, data=document) as response:
            build = await response.json()
        async with session.get(f"{url}/{build['id']}/events") as stream:
            async for line in stream.content:
                if not line.startswith(b"data: "):
                    continue
                event = json.loads(line.removeprefix(b"data: "))
                if event["type"] == "log":
                    seen.first = seen.first or time.time()
                elif event.get("phase") in ("built", "failed", "cancelled"):
                    seen.end, seen.image = time.time(), build["image"]
                    assert event["phase"] == "built", event
    return seen
