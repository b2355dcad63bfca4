"""A build's pod until its container runs: what it waits for, and for how long that may last."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors.kubernetes import verdict
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi
from jupyterhub_imagebuilder.executors.kubernetes.sight import Sight
from jupyterhub_imagebuilder.executors.waiting import wait_for

LOGGER = logging.getLogger(__name__)

#: A pod that starts sooner costs no request for its events; later ones are asked for this often.
_FIRST_LOOK = 3.0
_NEXT_LOOK = 5.0
#: How exactly a grace is kept; costs no request.
_TICK = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each kind of trouble may last, in seconds."""

    pull: float
    mount: float
    node: float
    deadline: float
    silence: float = 0.0  #: without a line of log; 0 is for ever

    def of(self, reason: Reason) -> float:
        """Grace of a kind of trouble."""
        return {Reason.IMAGE_PULL: self.pull, Reason.MOUNT_FAILED: self.mount}.get(
            reason, self.node
        )


class Start:
    """Waits for a pod's container.

    :param say: is told what the pod waits for, each sentence once.
    """

    def __init__(
        self,
        sight: Sight,
        *,
        api: PodApi,
        clock: Clock,
        patience: Patience,
        say: Callable[[str], Awaitable[None]],
    ) -> None:
        self._sight = sight
        self._api = api
        self._clock = clock
        self._patience = patience
        self._say = say
        self._said = ""
        self._events: list[Json] = []

    async def wait(self) -> BuildFailed | None:
        """Return when the container runs, or ran, or the pod is over; or why it never will."""
        look = self._clock.now() + _FIRST_LOOK
        while True:
            self._sight.changed.clear()
            pod = self._sight.pod
            if pod is None:
                return verdict.lost()
            if verdict.started(pod) or verdict.finished(pod):
                return None
            # a fetch may take long, and has no events
            if self._clock.now() >= look and not verdict.fetching(pod):
                await self._ask_for_events()
                look = self._clock.now() + _NEXT_LOOK
            failure = self._lasting_trouble(pod) or self._stuck(pod)
            if failure and await self._sight.still_so():
                return failure
            await self._tell(verdict.waits_for(pod, self._events))
            await wait_for(self._sight.changed, _TICK, self._clock)

    async def _tell(self, message: str) -> None:
        if message != self._said:
            self._said = message
            await self._say(message)

    async def _ask_for_events(self) -> None:
        claim = self._sight.claim
        try:
            self._events = await self._api.pod_events(claim.uid)
        except ApiError as error:
            LOGGER.debug("Events of %s cannot be read: %s", claim.request.name, error)

    def _lasting_trouble(self, pod: Json) -> BuildFailed | None:
        trouble = verdict.trouble(pod, self._events)
        if trouble is None:
            return None
        lasted = self._sight.lasted(trouble.reason.value)
        if lasted < self._patience.of(trouble.reason):
            return None
        return BuildFailed(trouble.message, trouble.reason)

    def _stuck(self, pod: Json) -> BuildFailed | None:
        """A pod that has a node and never starts, for no reason that Kubernetes would tell."""
        if verdict.fetching(pod):
            # that has the time that the whole build has
            return None
        key = "starting" if pod["spec"].get("nodeName") else "node"
        if verdict.fetched(pod):
            key = "fetched"
        if self._sight.lasted(key) < self._patience.node:
            return None
        said = verdict.waits_for(pod, self._events)
        if key == "node":
            return BuildFailed(said, Reason.UNSCHEDULABLE)
        return BuildFailed(f"The build did not start: {said}", Reason.EXECUTOR_LOST)
