"""The pods, and every change that they went through."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from enum import Enum

from jupyterhub_imagebuilder.executors.kubernetes.api import Json


class Fate(Enum):
    """What becomes of a change on its way to those who watch."""

    TOLD = "told"
    LOST = "lost"
    TWICE = "told twice"
    LATE = "told behind the next one"


@dataclass(frozen=True)
class Change:
    """One change of one pod."""

    version: int
    kind: str
    pod: Json
    fate: Fate = Fate.TOLD


class History:
    """Pods by name, in versions."""

    def __init__(self) -> None:
        self.pods: dict[str, Json] = {}
        self.changes: list[Change] = []
        self.version = 100
        self.compacted = 0  #: versions before this are forgotten
        self.fates: list[Fate] = []  #: of the next changes
        self._news = asyncio.Event()

    def put(self, kind: str, pod: Json) -> None:
        """A pod was added, modified or deleted."""
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        name = pod["metadata"]["name"]
        if kind == "DELETED":
            self.pods.pop(name, None)
        else:
            self.pods[name] = pod
        fate = self.fates.pop(0) if self.fates else Fate.TOLD
        self.changes.append(Change(self.version, kind, copy.deepcopy(pod), fate))
        news, self._news = self._news, asyncio.Event()
        news.set()

    def since(self, version: int) -> list[Change]:
        """Changes after a version, oldest first."""
        position = len(self.changes)
        while position and self.changes[position - 1].version > version:
            position -= 1
        return self.changes[position:]

    def at(self, behind: int) -> tuple[int, list[Json]]:
        """Version and pods as they were so many changes ago."""
        if not behind:
            return self.version, list(self.pods.values())
        old = self.changes[: max(len(self.changes) - behind, 0)]
        pods: dict[str, Json] = {}
        for change in old:
            if change.kind == "DELETED":
                pods.pop(change.pod["metadata"]["name"], None)
            else:
                pods[change.pod["metadata"]["name"]] = change.pod
        return (old[-1].version if old else 100), list(pods.values())

    def compact(self) -> None:
        """Forget everything but what is now."""
        self.compacted = self.version + 1
        self.version += 1

    async def news(self) -> None:
        """Wait for the next change."""
        await self._news.wait()


def matches(pod: Json, selector: str) -> bool:
    """Whether a pod has all labels of a selector of the form ``a=b,c=d``."""
    labels = pod["metadata"].get("labels") or {}
    wanted = (term.partition("=") for term in selector.split(",") if term)
    return all(labels.get(key) == value for key, _, value in wanted)
