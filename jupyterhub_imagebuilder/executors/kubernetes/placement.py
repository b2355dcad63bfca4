"""Which nodes a build may run on: those with a ready engine, the one that has its layers first."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi

LOGGER = logging.getLogger(__name__)

#: Seconds for which the list of engines is good: a burst of builds asks once.
_FRESH = 5.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Nodes for one build; none means that the scheduler decides by selector and tolerations."""

    nodes: Sequence[str] = ()
    preferred: str | None = None

    def affinity(self) -> Json | None:
        """As the pod's ``affinity``."""
        if not self.nodes:
            return None
        node: Json = {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                # a term takes one name only; terms are alternatives
                "nodeSelectorTerms": [_named(name) for name in self.nodes]
            }
        }
        if self.preferred:
            node["preferredDuringSchedulingIgnoredDuringExecution"] = [
                {"weight": 100, "preference": _named(self.preferred)}
            ]
        return {"nodeAffinity": node}


def place(repository: str, nodes: Sequence[str]) -> Placement:
    """Prefer the node that wins the rendezvous for this repository: its layers are cached there."""
    names = sorted(set(nodes))
    winner = max(names, key=lambda name: _weight(name, repository), default=None)
    return Placement(tuple(names), winner)


def ready_nodes(pods: Sequence[Json]) -> list[str]:
    """Names of the nodes on which one of these pods is ready and not about to go."""
    return sorted({pod["spec"]["nodeName"] for pod in pods if _ready(pod)})


class Engines:
    """Where engines are ready, as Kubernetes says; asked at most every few seconds."""

    def __init__(self, api: PodApi, clock: Clock, *, selector: str, namespace: str) -> None:
        self._api = api
        self._clock = clock
        self._selector = selector
        self._namespace = namespace
        self._lock = asyncio.Lock()
        self._nodes: list[str] = []
        self._asked = float("-inf")
        self._failures = 0  # how often the question had no answer

    async def nodes(self) -> list[str]:
        """Nodes with a ready engine; empty where there is none, or none that we may see."""
        failures = self._failures
        async with self._lock:
            if not self._selector or self._clock.now() - self._asked < _FRESH:
                return self._nodes
            if self._failures > failures:
                # while we waited for our turn; who comes later asks anew
                return []
            try:
                found = await self._api.list_pods(self._selector, namespace=self._namespace)
            except ApiError as error:
                # a build can do without: its pod waits for the engine by itself
                LOGGER.warning("Engine pods cannot be listed: %s", error.words or error)
                self._failures += 1
                return []
            self._nodes = ready_nodes(found.get("items") or [])
            self._asked = self._clock.now()
            return self._nodes


def _ready(pod: Json) -> bool:
    if pod["metadata"].get("deletionTimestamp") or not pod["spec"].get("nodeName"):
        return False
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _named(name: str) -> Json:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}


def _weight(node: str, repository: str) -> bytes:
    return hashlib.sha256(f"{node}\0{repository}".encode()).digest()
