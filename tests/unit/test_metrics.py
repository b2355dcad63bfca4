from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from jupyterhub_imagebuilder.builds.build import Audience, Build
from jupyterhub_imagebuilder.builds.events import LogLine, PhaseChanged
from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.policy import SpecPolicy
from jupyterhub_imagebuilder.builds.ports import (
    BuildObserver,
    ClaimState,
    RequestOutcome,
    Unobserved,
)
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.builds.service import BuildService, BuildSettings
from jupyterhub_imagebuilder.errors import BuildFailed, Reason, RefNotFound
from jupyterhub_imagebuilder.metrics import BUCKETS, FAMILIES, Metrics, process_registry
from tests.fakes.clock import InstantClock
from tests.fakes.executor import ScriptedExecutor
from tests.fakes.provider import FakeProvider
from tests.fakes.registry import FakeRegistry
from tests.unit.builds.records import ADMIN, ALICE, BOB, COMMIT, request
from tests.unit.web.support import until

REPO = "https://git.example.org/org/repo"
DIGEST = "sha256:" + "1" * 64


class Counted:
    """Metrics and the time by which they count."""

    def __init__(self):
        self.clock = InstantClock()
        self.registry = CollectorRegistry()
        self.queued = self.viewers = 0
        self.metrics = Metrics(
            registry=self.registry,
            clock=self.clock,
            queued=lambda: self.queued,
            viewers=lambda: self.viewers,
        )

    def value(self, name, **labels):
        return self.registry.get_sample_value(f"imagebuilder_{name}", labels)

    def series(self, name):
        """All samples that are not zero, by their labels' values."""
        return {
            tuple(sample.labels.values()): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == f"imagebuilder_{name}" and sample.value
        }

    def build(self, **kwargs):
        what = request(**kwargs)
        # asked for two seconds before the build begins
        object.__setattr__(what, "created", self.clock.now() - 2)
        return Build(what, Audience(self.metrics))

    def after(self, seconds):
        self.clock.time += seconds
        return self.clock.time


@pytest.fixture
def counted():
    return Counted()


def enter(build, phase):
    build.observe(PhaseChanged(phase, phase), 1000.0)


def test_it_fits_the_port(counted):
    # what mypy checks where it is handed on, said once for readers
    for observer in (counted.metrics, Unobserved()):
        names = {name for name in vars(BuildObserver) if not name.startswith("_")}
        assert names == {"requested", "claimed", "entered"}
        assert all(callable(getattr(observer, name)) for name in names)


def test_a_build_is_counted_once_with_the_time_of_each_phase(counted):
    build = counted.build()
    counted.metrics.claimed(build.request, ClaimState.CREATED)
    for phase, seconds in ((Phase.FETCHING, 5), (Phase.BUILDING, 0.5), (Phase.PUSHING, 100)):
        counted.after(seconds)
        enter(build, phase)
    build.complete(DIGEST, counted.after(20))
    build.complete(DIGEST, counted.after(20))
    build.fail(BuildFailed("Too late."), counted.after(20))
    assert counted.series("builds_total") == {("built", ""): 1}
    assert counted.series("phase_duration_seconds_sum") == {
        ("waiting",): 5,
        ("fetching",): 0.5,
        ("building",): 100,
        ("pushing",): 20,
    }
    assert set(counted.series("phase_duration_seconds_count").values()) == {1}
    assert counted.series("build_duration_seconds_sum") == {("built",): 127.5}


def test_what_the_log_says_of_phases_is_timed_too(counted):
    build = counted.build()
    counted.after(3)
    build.observe(LogLine("u", 0, "Step 1", Phase.BUILDING), 1000.0)
    build.observe(LogLine("u", 1, "Step 2", Phase.BUILDING), 1000.0)
    assert counted.series("phase_duration_seconds_sum") == {("waiting",): 3}
    assert counted.series("builds_running") == {("building",): 1}


def test_builds_under_way_are_shown_by_their_phase(counted):
    builds = [counted.build(build_id=f"b{number}") for number in range(3)]
    assert counted.series("builds_running") == {("waiting",): 3}
    enter(builds[0], Phase.BUILDING)
    builds[0].observe(PhaseChanged(Phase.BUILDING, "other words"), 1000.0)
    builds[1].fail(BuildFailed("No."), counted.after(1))
    assert counted.series("builds_running") == {("waiting",): 1, ("building",): 1}
    for build in builds:
        build.complete(DIGEST, counted.after(1))
    assert counted.series("builds_running") == {}
    assert counted.metrics._seen == {}


@pytest.mark.parametrize(
    ("reason", "labels"),
    [
        (Reason.OUT_OF_MEMORY, ("failed", "out-of-memory")),
        (Reason.CANCELLED, ("cancelled", "cancelled")),
    ],
)
def test_an_end_without_an_image_has_its_reason(counted, reason, labels):
    counted.build().fail(BuildFailed("No.", reason), counted.after(8))
    assert counted.series("builds_total") == {labels: 1}
    assert counted.series("build_duration_seconds_sum") == {(labels[0],): 10}


def test_an_image_that_was_there_in_the_end_is_found(counted):
    counted.build().complete(DIGEST, counted.after(1), cached=True)
    assert counted.series("builds_total") == {("found", ""): 1}


def test_the_replayed_past_of_an_adopted_build_is_not_timed(counted):
    build = counted.build()
    counted.metrics.claimed(build.request, ClaimState.RUNNING)
    enter(build, Phase.FETCHING)
    enter(build, Phase.BUILDING)
    build.complete(DIGEST, counted.after(60))
    assert counted.series("phase_duration_seconds_count") == {}
    assert counted.series("build_duration_seconds_sum") == {("built",): 62}
    assert counted.series("builds_total") == {("built", ""): 1}


def test_a_build_that_was_over_when_it_was_found_is_not_timed_at_all(counted):
    build = counted.build()
    counted.metrics.claimed(build.request, ClaimState.FINISHED)
    build.complete(DIGEST, counted.after(60))
    assert counted.series("build_duration_seconds_count") == {}
    assert counted.series("builds_total") == {("built", ""): 1}


def test_a_clock_that_is_set_back_counts_nothing_negative(counted):
    build = counted.build()
    build.complete(DIGEST, counted.after(-3600))
    assert counted.value("phase_duration_seconds_sum", phase="waiting") == 0
    assert counted.value("build_duration_seconds_sum", outcome="built") == 0


def test_buckets_reach_from_a_hundredth_of_a_second_to_two_hours(counted):
    assert (BUCKETS[0], BUCKETS[-1]) == (0.01, 7200)
    assert list(BUCKETS) == sorted(BUCKETS)
    build = counted.build()
    enter(build, Phase.FETCHING)
    build.complete(DIGEST, counted.after(7000))
    for phase, first in (("waiting", "0.01"), ("fetching", "7200.0")):
        counts = {
            sample.labels["le"]: sample.value
            for metric in counted.registry.collect()
            for sample in metric.samples
            if sample.name == "imagebuilder_phase_duration_seconds_bucket"
            and sample.labels["phase"] == phase
        }
        assert next(bound for bound, count in counts.items() if count) == first


def test_queue_and_viewers_are_asked_when_somebody_looks(counted):
    assert (counted.value("builds_queued"), counted.value("viewers")) == (0, 0)
    counted.queued, counted.viewers = 3, 7
    assert (counted.value("builds_queued"), counted.value("viewers")) == (3, 7)


def test_what_can_rise_is_there_from_the_start(counted):
    # Prometheus sees a rise from 0 to 1, and none from nothing to 1
    for reason in Reason:
        outcome = "cancelled" if reason is Reason.CANCELLED else "failed"
        assert counted.value("builds_total", outcome=outcome, reason=reason) == 0
        assert counted.value("requests_total", outcome="refused", reason=reason) == 0
    assert counted.value("builds_total", outcome="built", reason="") == 0
    assert counted.value("requests_total", outcome="joined", reason="") == 0


def test_labels_are_bounded(counted):
    before = counted.metrics.render().count(b"\n")
    for number in range(50):
        owner = Owner(f"user-{number}")
        build = counted.build(build_id=f"b{number}", owner=owner, repository=f"{REPO}{number}")
        counted.metrics.requested(RequestOutcome.STARTED)
        build.fail(BuildFailed("No.", Reason.BUILD_FAILED), counted.after(1))
    text = counted.metrics.render()
    assert text.count(b"\n") == before
    assert b"org/repo" not in text
    assert b"user-" not in text


def test_all_families_are_there_and_no_other(counted):
    names = {metric.name for metric in counted.registry.collect()}
    assert names == {family.name for family in FAMILIES}


def test_the_process_is_part_of_it():
    registry = process_registry()
    metrics = Metrics(registry=registry, clock=InstantClock(), queued=int, viewers=int)
    text = metrics.render().decode()
    for line in ("process_resident_memory_bytes ", "python_info{", "imagebuilder_viewers 0.0"):
        assert f"\n{line}" in text
    assert "_created" not in text


class World:
    """The domain with metrics beside it."""

    def __init__(self, counted, earlier=None, **limits):
        self.provider = FakeProvider({(REPO, "HEAD"): COMMIT})
        self.registry = earlier.registry if earlier else FakeRegistry()
        self.executor = earlier.executor if earlier else ScriptedExecutor(manual=True)
        self.service = BuildService(
            providers=[self.provider],
            registry=self.registry,
            executor=self.executor,
            policy=SpecPolicy(),
            settings=BuildSettings("registry.example.org/team/", limits=QueueLimits(**limits)),
            clock=counted.clock,
            observer=counted.metrics,
        )


@pytest.fixture
async def world(counted):
    world = World(counted)
    yield world
    await world.service.stop()


async def test_requests_are_counted_by_what_they_lead_to(world, counted):
    build = await world.service.request(REPO, ALICE)
    for _ in range(3):
        assert await world.service.request(REPO, BOB) is build
    with pytest.raises(RefNotFound):
        await world.service.request(f"{REPO}@nowhere", ALICE)
    assert counted.series("requests_total") == {
        ("started", ""): 1,
        ("joined", ""): 3,
        ("refused", "ref-not-found"): 1,
    }
    assert counted.series("builds_running") == {("waiting",): 1}


async def test_an_image_that_is_there_is_a_request_and_no_build(world, counted):
    world.registry.images[request().image] = DIGEST
    for owner in (ALICE, BOB):
        assert (await world.service.request(REPO, owner)).over
    assert counted.series("requests_total") == {("found", ""): 2}
    assert counted.series("builds_total") == {}
    assert counted.series("builds_running") == {}


async def test_viewers_of_a_build_do_not_count_it_again(world, counted):
    build = await world.service.request(REPO, ALICE)
    viewers = [asyncio.create_task(last(build)) for _ in range(20)]
    await until(lambda: world.executor.created)
    world.executor.build(build.request.name).end(BuildFailed("No.", Reason.DISK_FULL))
    assert {event.reason for event in await asyncio.gather(*viewers)} == {Reason.DISK_FULL}
    assert counted.series("builds_total") == {("failed", "disk-full"): 1}
    assert counted.series("phase_duration_seconds_count") == {("waiting",): 1}


async def test_what_waits_for_its_turn_is_queued(counted):
    world = World(counted, running=1)
    world.provider.commits[(REPO, "newer")] = "f" * 40
    await world.service.request(REPO, ALICE)
    assert world.service.queued == 0
    await world.service.request(f"{REPO}@newer", BOB)
    await until(lambda: world.service.queued)
    assert world.service.queued == 1
    assert counted.series("builds_running") == {("waiting",): 2}
    await world.service.stop()


async def test_a_restart_times_no_phase_of_what_it_adopts(world, counted):
    build = await world.service.request(REPO, ALICE)
    await until(lambda: world.executor.created)
    scripted = world.executor.build(build.request.name)
    scripted.phase(Phase.BUILDING, "Building the image")
    await world.service.stop()
    later = Counted()
    later.clock = counted.clock
    successor = World(later, world)
    await successor.service.take_up()
    (adopted,) = await successor.service.list(ADMIN, 100)
    scripted.end(BuildFailed("No.", Reason.BUILD_FAILED))
    assert (await last(adopted)).reason is Reason.BUILD_FAILED
    assert later.series("phase_duration_seconds_count") == {}
    assert later.series("build_duration_seconds_count") == {("failed",): 1}
    await successor.service.stop()


async def last(build):
    return [event async for event in build.events()][-1]
