"""One build's pod, as the watch tells of it, and as Kubernetes does when it is asked."""

from __future__ import annotations

import logging

from jupyterhub_imagebuilder.builds.ports import Claim, Clock
from jupyterhub_imagebuilder.executors.kubernetes import manifest
from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError, Json, PodApi
from jupyterhub_imagebuilder.executors.kubernetes.watch import PodWatch, Subscription
from jupyterhub_imagebuilder.executors.waiting import wait_for

LOGGER = logging.getLogger(__name__)

#: Seconds until Kubernetes is asked again that did not answer.
_AGAIN = 5.0


class Sight:
    """What is known of one pod.

    :param subscription: to the watch, for that pod.
    """

    def __init__(
        self,
        claim: Claim,
        subscription: Subscription,
        *,
        api: PodApi,
        watch: PodWatch,
        clock: Clock,
    ) -> None:
        self.claim = claim
        self._subscription = subscription
        self._api = api
        self._watch = watch
        self._clock = clock
        self._since: dict[str, float] = {}
        self.changed = subscription.changed  #: set at each change; the reader clears it

    @property
    def pod(self) -> Json | None:
        """The pod while it is there."""
        return None if self._subscription.gone else self._subscription.pod

    @property
    def last(self) -> Json | None:
        """The pod as it was last seen, there or gone."""
        return self._subscription.pod

    def lasted(self, what: str) -> float:
        """Seconds since this was asked for the first time: our own clock alone, no node's."""
        return self._clock.now() - self._since.setdefault(what, self._clock.now())

    async def look_up(self, limit: float) -> None:
        """Ask for a pod that the watch has not told of yet.

        :param limit: seconds after which an answer is given up.
        """
        while self.last is None and not self._subscription.gone:
            self.changed.clear()
            if await self.ask() or self.lasted("unseen") >= limit:
                return

    async def ask(self) -> bool:
        """Bring what is known up to date, past the watch; whether there was an answer."""
        name = self.claim.request.name
        try:
            found = await self._api.get_pod(name)
        except ApiError as error:
            LOGGER.info("Build %s cannot be seen: %s", name, error.words or error)
            await wait_for(self.changed, _AGAIN, self._clock)
            return False
        if found is None or found["metadata"]["uid"] != self.claim.uid:
            self._watch.forget(self.claim.uid)
        else:
            self._watch.update(manifest.slim(found))
        return True

    async def still_so(self) -> bool | None:
        """Whether the pod is as it is known: the watch may be late; None without an answer."""
        known = self.pod
        return self.pod == known if await self.ask() else None
