"""Taking up builds: what an earlier process left, and what runs although nobody here follows it.

The executor knows what runs, the store what was queued, whose it was and what was said.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum, auto

from jupyterhub_imagebuilder.builds.build import Audience, Build
from jupyterhub_imagebuilder.builds.catalog import Catalog
from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.executions import Executions
from jupyterhub_imagebuilder.builds.ids import is_rebuild
from jupyterhub_imagebuilder.builds.ports import Claim, ClaimState, Executor
from jupyterhub_imagebuilder.builds.record import Kept
from jupyterhub_imagebuilder.errors import Reason, StoreUnavailable

log = logging.getLogger(__name__)


class _End(Enum):
    """What is known of the end of a build whose pod is there."""

    OPEN = auto()  #: nothing
    OVER = auto()
    UNSEEN = auto()  #: it was told without having been seen: another process may follow the pod
    ELSEWHERE = auto()  #: another process goes on with what has ended here


class Adoption:
    """Finds builds that have to be followed, and begins to.

    :param audience: of the builds that are taken up.
    """

    def __init__(
        self, executor: Executor, executions: Executions, catalog: Catalog, audience: Audience
    ) -> None:
        self._executor = executor
        self._executions = executions
        self._catalog = catalog
        self._audience = audience
        self._store = audience.store
        self._recalled = audience.store is None  # whether the store has told what was left

    async def take_up(self) -> None:
        """Follow what is under way and nobody here follows; queue again what was queued.

        :raises ExecutorUnavailable: it cannot be asked; call again.
        """
        claims = await self._executor.found()
        left = await self._unfinished()
        by_key = {claim.request.key: claim for claim in claims}
        for kept in left:
            claim = by_key.get(kept.record.request.key)
            if claim is not None and not _may_be_of(claim, kept):
                claim = None
            if claim is not None or kept.record.uid is not None:
                self._resume(kept, claim)
        loose = [claim for claim in claims if not self._is_followed(claim)]
        ends = await self._ends(loose)
        for claim in loose:
            if not self._is_followed(claim):
                self._adopt(claim, ends[claim.request.id])
        # last: what runs counts against the limits
        for kept in left:
            self._resume(kept, None)

    async def _unfinished(self) -> Sequence[Kept]:
        """Builds whose end no earlier process saw; the store is asked until it answers once."""
        if self._recalled or self._store is None:
            return ()
        try:
            left = await self._store.unfinished(self._audience.author)
        except StoreUnavailable as error:
            log.warning("what was queued is not known yet: %s", error.message)
            return ()
        self._recalled = True
        return left

    async def _ends(self, claims: Sequence[Claim]) -> dict[str, _End]:
        """What became of the builds, by their ids, whose pods nobody here follows."""
        ends = {}
        ask = self._store is not None
        for claim in claims:
            build_id = claim.request.id
            here, kept = self._catalog.known(build_id), None
            if ask and self._store is not None:
                try:
                    kept = await self._store.get(build_id)
                except StoreUnavailable:
                    # each question may take its time: builds are not to wait for all of them
                    ask = False
            if kept is not None and kept.record.phase.terminal:
                ends[build_id] = _seen(kept.record.reason)
            elif here is None or not here.over:
                ends[build_id] = _End.OPEN
            else:
                # over for us, and not for the process that has taken it over from us
                ends[build_id] = _End.ELSEWHERE if kept is not None else _seen(here.reason)
        return ends

    def _is_followed(self, claim: Claim) -> bool:
        """Whether a pod is, or was, seen through here."""
        if self._executions.is_settled(claim.uid):
            return True
        return self._executions.of(claim.request.key) is not None

    def _resume(self, kept: Kept, claim: Claim | None) -> None:
        """Go on with a build that was stored; without a claim and a UID it had not begun."""
        request, uid = kept.record.request, kept.record.uid
        if self._catalog.known(request.id) is not None:
            return
        build = Build(request, self._audience, kept)
        log.info("going on with %s (%s)", request.name, build.phase)
        other = self._executions.of(request.key)
        if other is not None:
            self._executions.share(build, other)
            return
        if claim is None and uid is not None:
            # its pod is gone; what it made may be there
            claim = Claim(request, uid, ClaimState.FINISHED)
        began = PhaseChanged(build.phase, build.message)
        self._audience.observer.entered(request, began, cached=False)
        self._executions.begin(build, claim)

    def _adopt(self, claim: Claim, end: _End) -> None:
        """Follow a pod that nobody follows; that of a build which is over is removed."""
        request = claim.request
        finished = claim.state is ClaimState.FINISHED
        if end is _End.OVER or (end is _End.UNSEEN and finished):
            log.info("removing what is left of %s (%s)", request.name, claim.state)
            self._executions.settle(claim, built=finished)
        elif end is _End.OPEN:
            log.info("adopting %s (%s)", request.name, claim.state)
            self._executions.begin(Build(request, self._audience), claim)


def _may_be_of(claim: Claim, kept: Kept) -> bool:
    """Whether a pod carries out a build; what is built again needs one of its own."""
    request = kept.record.request
    return not is_rebuild(request.id) or claim.request.id == request.id


def _seen(reason: Reason | None) -> _End:
    return _End.UNSEEN if reason is Reason.EXECUTOR_LOST else _End.OVER
