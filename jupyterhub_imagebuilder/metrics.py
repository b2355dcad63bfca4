"""What happens to builds, counted for Prometheus.

Builds are counted, and never those who watch them; no label grows with repositories or users.
The names here are read by dashboards: extend, never rename.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from jupyterhub_imagebuilder.builds.events import PhaseChanged
from jupyterhub_imagebuilder.builds.model import BuildRequest
from jupyterhub_imagebuilder.builds.phases import TERMINAL, Phase
from jupyterhub_imagebuilder.builds.ports import ClaimState, Clock, RequestOutcome
from jupyterhub_imagebuilder.errors import Reason

CONTENT_TYPE: str = CONTENT_TYPE_LATEST

#: Seconds, from a phase that is passed at once to the longest build that is allowed.
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


class BuildOutcome(StrEnum):
    """How a build ended."""

    BUILT = "built"
    FOUND = "found"  #: there was nothing left to do: another process had built it
    FAILED = "failed"
    CANCELLED = "cancelled"


class Family(NamedTuple):
    """A metric: its name, what it says, and its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


REQUESTS = Family(
    "imagebuilder_requests",
    "Requests for an image, by what they led to: found (the registry had the image), joined (a "
    "build that was under way), started (a build) or refused, with the reason why.",
    ("outcome", "reason"),
)
BUILDS = Family(
    "imagebuilder_builds",
    "Builds that ended, by outcome: built, found (another process had built the image in the "
    "meantime), failed or cancelled, the last two with a reason.",
    ("outcome", "reason"),
)
BUILD_SECONDS = Family(
    "imagebuilder_build_duration_seconds",
    "Seconds from the request that started a build to its end, by outcome.",
    ("outcome",),
)
PHASE_SECONDS = Family(
    "imagebuilder_phase_duration_seconds",
    "Seconds that a build spent in a phase: waiting, fetching, building or pushing. Builds that "
    "another process started are left out.",
    ("phase",),
)
RUNNING = Family(
    "imagebuilder_builds_running", "Builds under way now, by the phase they are in.", ("phase",)
)
QUEUED = Family(
    "imagebuilder_builds_queued",
    "Builds that wait for their turn now; they are among those that run, in phase waiting.",
)
VIEWERS = Family("imagebuilder_viewers", "Open streams of build logs and events now.")

FAMILIES = (REQUESTS, BUILDS, BUILD_SECONDS, PHASE_SECONDS, RUNNING, QUEUED, VIEWERS)


@dataclass(slots=True)
class _Seen:
    """A build that has not ended."""

    phase: Phase
    since: float  # when it entered the phase
    timed: bool = True  # whether it was there from its start, so that its phases can be timed
    late: bool = False  # whether it was over already when it was found


class Metrics:
    """Counts what it is told: a :class:`~jupyterhub_imagebuilder.builds.ports.BuildObserver`.

    :param registry: takes the metrics in.
    :param queued: how many builds wait for their turn; asked at each scrape.
    :param viewers: how many streams are open; asked at each scrape.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        clock: Clock,
        queued: Callable[[], int],
        viewers: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._seen: dict[str, _Seen] = {}  # by build id
        self._requests = Counter(*REQUESTS, registry=registry)
        self._builds = Counter(*BUILDS, registry=registry)
        self._seconds = Histogram(*BUILD_SECONDS, registry=registry, buckets=BUCKETS)
        self._phases = Histogram(*PHASE_SECONDS, registry=registry, buckets=BUCKETS)
        self._running = Gauge(*RUNNING, registry=registry)
        Gauge(*QUEUED, registry=registry).set_function(queued)
        Gauge(*VIEWERS, registry=registry).set_function(viewers)
        self._begin_at_zero()

    def render(self) -> bytes:
        """All metrics in the text format that :data:`CONTENT_TYPE` names."""
        return generate_latest(self._registry)

    def requested(self, outcome: RequestOutcome, reason: Reason | None = None) -> None:
        """Count a request."""
        self._requests.labels(outcome, reason or "").inc()

    def claimed(self, request: BuildRequest, state: ClaimState) -> None:
        """Note what was there before: the past of a build that is adopted is replayed at once."""
        seen = self._seen.get(request.id)
        if seen is not None and state is not ClaimState.CREATED:
            seen.timed = False
            seen.late = state is ClaimState.FINISHED

    def entered(self, request: BuildRequest, event: PhaseChanged, *, cached: bool) -> None:
        """Count a build's way through its phases, and its end."""
        now = self._clock.now()
        seen = self._seen.get(request.id)
        if seen is None:
            self._seen[request.id] = _Seen(event.phase, now)
            self._running.labels(event.phase).inc()
            return
        if event.phase is seen.phase:
            return  # only the message is new
        self._running.labels(seen.phase).dec()
        if seen.timed:
            self._phases.labels(seen.phase).observe(_between(seen.since, now))
        if event.phase.terminal:
            del self._seen[request.id]
            outcome = _outcome(event.phase, cached=cached)
            self._builds.labels(outcome, event.reason or "").inc()
            if not seen.late:
                self._seconds.labels(outcome).observe(_between(request.created, now))
        else:
            self._running.labels(event.phase).inc()
            seen.phase, seen.since = event.phase, now

    def _begin_at_zero(self) -> None:
        """Show what can be shown from the start: Prometheus sees no rise from nothing to one."""
        for request in (RequestOutcome.FOUND, RequestOutcome.JOINED, RequestOutcome.STARTED):
            self._requests.labels(request, "")
        for build in BuildOutcome:
            self._seconds.labels(build)
        for build in (BuildOutcome.BUILT, BuildOutcome.FOUND):
            self._builds.labels(build, "")
        for reason in Reason:
            self._requests.labels(RequestOutcome.REFUSED, reason)
            if reason is Reason.CANCELLED:
                self._builds.labels(BuildOutcome.CANCELLED, reason)
            else:
                self._builds.labels(BuildOutcome.FAILED, reason)
        for phase in Phase:
            if phase not in TERMINAL:
                self._running.labels(phase)
                self._phases.labels(phase)


def process_registry() -> CollectorRegistry:
    """A registry of its own with what is known of this process: memory, CPU, descriptors."""
    # a time of creation beside each count would double the text, and nobody asks for it
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def _between(start: float, end: float) -> float:
    # the clock is the system's, which may be set back
    return max(end - start, 0.0)


def _outcome(phase: Phase, *, cached: bool) -> BuildOutcome:
    if phase is Phase.BUILT:
        return BuildOutcome.FOUND if cached else BuildOutcome.BUILT
    return BuildOutcome(phase)
