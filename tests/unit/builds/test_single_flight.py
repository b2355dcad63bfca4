"""One build per key, whatever happens in whatever order: requests, pods, restarts, failures.

``IMAGEBUILDER_TEST_EXAMPLES=2000`` looks for more, at random, than the fixed examples of a normal
run.
"""

from __future__ import annotations

import asyncio
import logging
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.errors import (
    ExecutorUnavailable,
    RegistryUnavailable,
    StoreUnavailable,
)

from .interleaving import OWNERS, REPOS, World

EXAMPLES = os.environ.get("IMAGEBUILDER_TEST_EXAMPLES")
INDEX = st.integers(0, 3)
LAG = st.sampled_from([0.0, 0.0, 5.0])
GATES = st.sampled_from(["look-up", "its answer", "claim", "its outcome", "removal", "store"])
LIMIT = st.integers(0, 2)


class SingleFlight(RuleBasedStateMachine):
    """Any interleaving of what can happen to one or two services."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.broken = False

    @initialize(services=st.integers(1, 2), requests=st.booleans(), running=LIMIT, per_user=LIMIT)
    def services_start(self, services, requests, running, per_user):
        self.world.limits = QueueLimits(running=running, per_user=per_user)
        for _ in range(services):
            self.world.start()
        self.world.loop.settle()
        if requests:
            self.everybody_asks(0)

    # -- time

    @rule(turns=st.integers(1, 6))
    def turns_pass(self, turns):
        for _ in range(turns):
            self.world.loop.turn()

    @rule()
    def all_is_done_that_can_be(self):
        self.world.loop.settle()

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0, 31.0, 61.0]))
    def time_passes(self, seconds):
        self.world.loop.advance(seconds)

    # -- users

    def ready(self):
        return [process for process in self.world.processes if process.ready]

    @precondition(ready)
    @rule(
        which=INDEX,
        repo=st.integers(0, len(REPOS) - 1),
        owner=st.integers(0, len(OWNERS) - 1),
    )
    def somebody_asks(self, which, repo, owner):
        ready = self.ready()
        self.world.request(ready[which % len(ready)], repo, owner)

    @precondition(ready)
    @rule(repo=st.integers(0, len(REPOS) - 1))
    def everybody_asks(self, repo):
        for owner, process in enumerate(self.ready()):
            self.world.request(process, repo, owner)

    @precondition(ready)
    @rule(which=INDEX, owner=st.integers(0, len(OWNERS) - 1))
    def somebody_asks_for_everything(self, which, owner):
        ready = self.ready()
        for repo in range(len(REPOS)):
            self.world.request(ready[which % len(ready)], repo, owner)

    @precondition(ready)
    @rule(which=INDEX, build=INDEX)
    def somebody_cancels(self, which, build):
        ready = self.ready()
        self.world.cancel(ready[which % len(ready)], build)

    # -- pods

    def runs(self):
        return bool(self.world.pods())

    def pod(self, which):
        pods = self.world.pods()
        return pods[which % len(pods)]

    @precondition(runs)
    @rule(which=INDEX)
    def a_pod_prints_a_line(self, which):
        self.pod(which).script.line("text")

    @precondition(runs)
    @rule(which=INDEX, lag=LAG)
    def a_pod_pushes(self, which, lag):
        self.world.push(self.pod(which), lag)

    @precondition(runs)
    @rule(which=INDEX, lag=LAG)
    def a_pod_says_that_it_has_pushed(self, which, lag):
        self.world.say_pushed(self.pod(which), lag)

    @precondition(runs)
    @rule(which=INDEX, lag=LAG)
    def a_pod_succeeds(self, which, lag):
        self.world.succeed(self.pod(which), lag)

    @precondition(runs)
    @rule(which=INDEX)
    def a_pod_ends_well_without_an_image(self, which):
        self.pod(which).script.end()

    @precondition(runs)
    @rule(which=INDEX)
    def a_pod_fails(self, which):
        self.world.fail(self.pod(which))

    @precondition(runs)
    @rule(which=INDEX)
    def a_pod_is_deleted(self, which):
        self.world.executor.delete(self.pod(which))

    @precondition(runs)
    @rule(which=INDEX)
    def a_pod_vanishes(self, which):
        self.world.executor.vanish(self.pod(which))

    def dying(self):
        return [p for p in self.world.executor.pods.values() if p.dying and not p.gone]

    @precondition(dying)
    @rule(which=INDEX)
    def a_pod_is_gone(self, which):
        dying = self.dying()
        self.world.executor.vanish(dying[which % len(dying)])

    # -- the registry and the executor

    def images(self):
        return [span.image for span in self.world.registry.spans if span.removed is None]

    @precondition(images)
    @rule(which=INDEX)
    def an_image_is_removed(self, which):
        images = self.images()
        self.world.registry.lose(images[which % len(images)])

    @rule(down=st.booleans())
    def the_registry_goes_or_comes(self, down):
        self.world.registry.down = RegistryUnavailable("It is away.") if down else None

    @rule(down=st.booleans())
    def the_executor_goes_or_comes(self, down):
        self.world.executor.unavailable = ExecutorUnavailable("It is away.") if down else None

    @rule(down=st.booleans())
    def the_store_goes_or_comes(self, down):
        if down:
            self.world.store.unavailable = StoreUnavailable("It is away.")
        else:
            self.world.store.recover()

    @rule(gate=GATES, closed=st.booleans())
    def a_gate_is_moved(self, gate, closed):
        self.world.gates()[gate].closed = closed

    @rule(gate=GATES, which=INDEX)
    def a_call_goes_on(self, gate, which):
        self.world.gates()[gate].let_go(which)

    # -- processes

    @precondition(lambda self: len(self.world.processes) < 2)
    @rule()
    def another_service_starts(self):
        self.world.start()

    def running(self):
        return bool(self.world.processes)

    @precondition(running)
    @rule(which=INDEX)
    def a_service_is_killed(self, which):
        processes = self.world.processes
        self.world.kill(processes[which % len(processes)])

    @precondition(running)
    @rule(which=INDEX)
    def a_service_is_stopped(self, which):
        processes = self.world.processes
        self.world.stop(processes[which % len(processes)])

    # -- what is true at every moment, and at the end

    @invariant()
    def all_is_well(self):
        self.broken = True
        self.world.check()
        self.broken = False

    def teardown(self):
        try:
            if not self.broken:
                self._come_to_rest()
        finally:
            self.world.close()

    def _come_to_rest(self):
        """The last service adopts what others left, and everything ends."""
        world = self.world
        world.calm()
        # what a service begins after another one has looked for builds is adopted at the next start
        world.loop.settle()
        world.start()
        world.loop.advance(200)
        world.check()
        for process in world.processes:
            assert process.ready
            assert all(task.done() for task in process.requests), "a request hangs"
        for _ in range(20):  # those that were queued have their turns
            for pod in list(world.pods()):
                world.fail(pod)
            world.loop.advance(70)
            if not world.pods() and not world.open_builds():
                break
        world.loop.advance(200)
        world.check()
        left = [pod.script.uid for pod in world.executor.pods.values() if not pod.gone]
        assert not left, f"pods stay: {left}"
        self._all_have_ended()

    def _all_have_ended(self):
        world = self.world
        for process in list(world.processes):
            for build in process.service._catalog.here():
                assert build.over, f"a build has no end: {build.phase}, {build.message}"
            for viewer in process.viewers.values():
                assert viewer.done(), "a viewer waits for ever"
            world.stop(process)
        world.loop.settle()
        for process in world.over:
            for task in process.requests:
                assert task.done(), "a stopped service leaves a request"
                assert task.cancelled() or task.exception() is None, task.exception()
        for build_id in world.acknowledged:
            kept = world.store.records.get(build_id)
            assert kept is not None, "a build that somebody was given was never stored"
            assert kept.phase.terminal, f"a build that somebody was given stays {kept.phase}"
        assert not asyncio.all_tasks(world.loop)
        assert world.executor.following == 0
        world.check()


if EXAMPLES:
    SETTINGS = settings(max_examples=int(EXAMPLES), stateful_step_count=60)
else:
    SETTINGS = settings(max_examples=400, stateful_step_count=40, derandomize=True)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """What the services log about thousands of failures is of no interest, and slow."""
    caplog.set_level(logging.CRITICAL)


TestSingleFlight = pytest.mark.timeout(0 if EXAMPLES else 400)(SingleFlight.TestCase)
TestSingleFlight.settings = settings(
    SETTINGS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def world():
    world = World()
    yield world
    world.close()


def test_an_image_that_cannot_be_read_back_yet_is_not_built_again_by_another_service(world):
    world.start()
    world.start()
    world.loop.settle()
    first, second = world.processes
    world.request(first, 0, 0)
    world.loop.settle()
    world.succeed(world.pods()[0], lag=5.0)
    world.request(second, 0, 1)
    world.loop.advance(40)
    world.check()
    assert len(world.executor.created) == 1
    ends = [build.phase for process in (first, second) for build in process.builds.values()]
    assert ends == [Phase.BUILT, Phase.BUILT]


def test_a_request_that_is_under_way_when_the_service_stops_begins_nothing(world):
    world.start()
    world.loop.settle()
    (service,) = world.processes
    world.gates()["look-up"].closed = True
    world.request(service, 0, 0)
    world.loop.settle()
    world.stop(service)
    world.loop.settle()
    world.calm()
    world.loop.settle()
    world.check()
    assert world.executor.created == []


def test_an_old_answer_of_the_registry_is_asked_again_before_a_pod_is_created(world):
    world.start()
    world.start()
    world.loop.settle()
    first, second = world.processes
    world.request(first, 0, 0)
    world.loop.settle()
    (pod,) = world.pods()
    world.gates()["claim"].closed = True
    world.gates()["its answer"].closed = True
    world.request(second, 0, 1)  # the image is not there yet
    world.loop.settle()
    world.push(pod, lag=0.0)
    world.loop.advance(9.5)
    world.gates()["its answer"].open()
    world.loop.advance(9.5)
    world.executor.delete(pod)  # and its name is taken for a while longer
    world.gates()["claim"].open()
    world.loop.advance(60)
    world.check()
    assert len(world.executor.created) == 1


def test_a_queued_build_that_another_service_has_ended_is_not_begun(world):
    world.limits = QueueLimits(running=1)
    world.start()
    world.loop.settle()
    (old,) = world.processes
    world.request(old, 0, 0)
    world.loop.settle()
    world.request(old, 1, 0)  # waits
    world.loop.settle()
    world.start()  # and goes on with what waits
    world.loop.settle()
    new = world.processes[1]
    waiting = next(build for build in old.builds.values() if build.uid is None)
    new.requests.append(world.spawn(new.service.cancel(waiting.id, OWNERS[-1])))
    world.loop.settle()
    assert world.store.records[waiting.id].phase is Phase.CANCELLED
    world.fail(world.pods()[0])
    world.loop.advance(200)
    world.check()
    assert len(world.executor.created) == 1


def test_queued_requests_survive_a_kill(world):
    world.limits = QueueLimits(running=1)
    world.start()
    world.loop.settle()
    (old,) = world.processes
    for repo in range(3):
        world.request(old, repo, 0)
        world.loop.settle()
    world.kill(old)
    world.start()
    for _ in range(3):
        world.loop.advance(70)
        (pod,) = world.pods()
        world.succeed(pod)
    world.loop.advance(70)
    world.check()
    assert [request.spec.repository for request in world.executor.created] == list(REPOS)
    ends = {world.store.records[build_id].phase for build_id in world.acknowledged}
    assert ends == {Phase.BUILT}
