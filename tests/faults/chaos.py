"""Things that go wrong at random, all of them from one seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from jupyterhub_imagebuilder.errors import (
    ProviderUnavailable,
    RegistryDenied,
    RegistryUnavailable,
    StoreUnavailable,
)
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json
from tests.fakes.kubernetes import FAILS, PUSH, Program
from tests.fakes.kubernetes.faults import (
    AnswerLost,
    Cut,
    Dead,
    Fault,
    NotHeard,
    Refused,
    Slow,
    Twice,
)
from tests.fakes.kubernetes.history import Fate
from tests.fakes.kubernetes.program import BUILD, FETCH, PUSHED, PUSHING, builds, said

from .process import Process
from .world import World, url

AWAY = ApiError("Kubernetes does not answer: connection refused")
FULL = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available."}


class Chaos:
    """Plays the world and its programs; ``done`` counts what was done to it."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.done: Counter[str] = Counter()
        self.removed: set[str] = set()  #: UIDs of pods that were taken away
        self.calm = False
        world.cluster.program = self._program
        self._programs: dict[str, Program] = {}

    async def play(self, seconds: float) -> None:
        """Do something every few seconds; everything works again at the end."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        actions: list[Callable[[], Any]] = [
            self._kill,
            self._kill,
            self._stop,
            self._overlap,
            self._cluster_away,
            self._registry_away,
            self._provider_away,
            self._store_away,
            self._watches,
            self._changes,
            self._logs,
            self._pod,
            self._rotate,
            self._clocks,
        ]
        while loop.time() < end:
            await asyncio.sleep(self.chance.uniform(0.2, 4))
            action = self.chance.choice(actions)
            self.done[action.__name__.strip("_")] += 1
            await action()
        self.calm = True

    def follow(self, process: Process) -> Process:
        """Let the weather come over a service's connection, too."""
        process.connection.weather = self._weather
        return process

    # -- what a pod does -------------------------------------------------------------------------

    def _program(self, pod: Json) -> Program:
        uid = pod["metadata"]["uid"]
        if uid not in self._programs:
            self._programs[uid] = self._new_program(uid)
        return self._programs[uid]

    def _new_program(self, uid: str) -> Program:
        lines = self._lines(uid)
        common: dict[str, Any] = {
            "scheduled": self.chance.choice([0.01, 0.1, 1.0, 5.0]),
            "starts": self.chance.choice([0.05, 0.5, 4.0]),
            "reported": self.chance.choice([0.01, 0.2, 2.0]),
            "deaf": self.chance.random() < 0.1,
        }
        kinds: list[tuple[float, dict[str, Any]]] = [
            (0.60, {"steps": builds(*lines).steps}),
            (0.15, {"steps": (FETCH, *lines, *FAILS.steps), "code": 1}),
            (0.05, {"steps": (FETCH, *lines, PUSHING, PUSH, PUSHED, 20.0)}),
            (0.04, {"steps": (FETCH, BUILD, *lines, PUSHING, 1.0)}),
            (0.04, {"steps": (FETCH, *lines), "code": 137, "reason": "OOMKilled"}),
            (0.04, {"starts": None, "waiting": ("ErrImagePull", "no such image")}),
            (0.04, {"scheduled": None, "condition": FULL}),
            (0.04, {"starts": None, "events": [("FailedMount", "no such secret")]}),
        ]
        (kind,) = self.chance.choices([k for _, k in kinds], [weight for weight, _ in kinds])
        return Program(**common | kind)

    def _lines(self, uid: str) -> list[bytes | float]:
        steps: list[bytes | float] = []
        for number in range(self.chance.choice([0, 3, 30, 200])):
            steps.append(said(f"#6 line {number} of {uid[:8]} {'x' * (number % 70)}"))
            if self.chance.random() < 0.3:
                steps.append(self.chance.choice([0.001, 0.1, 1.0]))
        return steps

    # -- what happens to calls -------------------------------------------------------------------

    def _weather(self, verb: str) -> Fault | None:
        if self.calm or self.chance.random() > 0.04:
            return None
        self.done["faults of calls"] += 1
        if verb == "pod_log" and self.chance.random() < 0.6:
            where = self.chance.randint(0, 3000)
            return self.chance.choice([Cut(where), Cut(where), Dead(where)])
        return self.chance.choice(
            [
                Refused(self.chance.choice([429, 500, 503])),
                NotHeard(self.chance.choice([1.0, 30.0])),
                AnswerLost(self.chance.choice([1.0, 30.0])),
                Slow(self.chance.choice([0.1, 3.0])),
                Twice(),
            ]
        )

    # -- what happens to everything else ---------------------------------------------------------

    async def _start(self) -> None:
        self.follow(await self.world.start(self._weather))

    async def _kill(self) -> None:
        self.world.kill()
        await asyncio.sleep(self.chance.choice([0.0, 0.5, 10.0]))
        await self._start()

    async def _stop(self) -> None:
        await self.world.stop(self.world.process)
        await self._start()

    async def _overlap(self) -> None:
        old = self.world.process
        await self._start()
        await asyncio.sleep(self.chance.choice([0.0, 1.0, 15.0]))
        if self.chance.random() < 0.5:
            self.world.kill(old)
        else:
            await self.world.stop(old)

    async def _cluster_away(self) -> None:
        self.world.cluster.away = AWAY
        for process in self.world.processes:
            process.connection.cut_off()
        await asyncio.sleep(self.chance.choice([0.1, 5.0, 40.0]))
        self.world.cluster.away = None

    async def _registry_away(self) -> None:
        self.world.registry.down = self.chance.choice(
            [RegistryUnavailable("It is away."), RegistryDenied("It refuses.")]
        )
        await asyncio.sleep(self.chance.choice([0.1, 5.0, 20.0]))
        self.world.registry.down = None
        self.world.lag = self.chance.choice([0.0, 0.0, 3.0])

    async def _provider_away(self) -> None:
        self.world.provider.failures[url(0)] = ProviderUnavailable("It is away.")
        await asyncio.sleep(2.0)
        self.world.provider.failures.clear()

    async def _store_away(self) -> None:
        self.world.store.unavailable = StoreUnavailable("It is away.")
        await asyncio.sleep(self.chance.choice([0.5, 10.0]))
        self.world.store.recover()

    async def _watches(self) -> None:
        for process in self.world.processes:
            for watch in list(process.connection.watches):
                how = self.chance.random()
                if how < 0.4:
                    watch.stop()
                elif how < 0.8:
                    watch.stop(AWAY)
                else:
                    watch.silent = True
        if self.chance.random() < 0.3:
            self.world.cluster.history.compact()

    async def _changes(self) -> None:
        fates = [Fate.TOLD, Fate.TOLD, Fate.LOST, Fate.TWICE, Fate.LATE]
        self.world.cluster.history.fates = self.chance.choices(fates, k=8)

    async def _logs(self) -> None:
        for process in self.world.processes:
            for follower in list(process.connection.followers):
                if self.chance.random() < 0.5:
                    follower.stop(AWAY)

    async def _pod(self) -> None:
        names = self.world.cluster.left()
        if not names:
            return
        name = self.chance.choice(names)
        pod = self.world.cluster.history.pods[name]
        uid = pod["metadata"]["uid"]
        self.removed.add(uid)
        how = self.chance.random()
        if how < 0.4:
            self.world.cluster.delete(name, uid, 10)
        elif how < 0.7:
            self.world.cluster.evict(name)
        else:
            self.world.cluster.vanish(name, silently=how > 0.9)

    async def _rotate(self) -> None:
        for pod in self.world.cluster.running():
            if self.chance.random() < 0.3:
                self.world.cluster.logs[pod["metadata"]["uid"]].rotate()

    async def _clocks(self) -> None:
        self.world.cluster.skew = self.chance.choice([-3600.0, -1.0, 0.0, 0.5, 3600.0])
