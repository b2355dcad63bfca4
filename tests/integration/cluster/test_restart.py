"""The service is killed and started again: its viewers, its queue and its history go on."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import ExitStack, suppress

import pytest
import requests

from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE
from jupyterhub_imagebuilder.executors.repo2docker import read_line
from tests.integration.cluster import repositories
from tests.integration.cluster.polling import until
from tests.integration.cluster.services import TERMINAL, enters, new_prefix, says, service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

#: Seconds after a start within which a viewer must have its next line; what it took is printed.
HANG = 15


@pytest.fixture
def start(cluster_env, engine, hub_role, tmp_path):
    """Start a service with options; all end with the test."""
    with ExitStack() as stack:

        def start(**options):
            folder, prefix = tmp_path / "service", new_prefix(cluster_env)
            kubeconfig = hub_role("hub")
            return stack.enter_context(
                service(folder, cluster_env, engine, kubeconfig, prefix, **options)
            )

        yield start


@pytest.fixture(autouse=True)
def no_pod_left(build_pods, start):
    yield
    until(lambda: not build_pods(), what="the end of all build pods", seconds=40)


class Pod:
    """The only build pod, as the kubelet knows it."""

    def __init__(self, kubectl, namespace, names):
        self._kubectl, self._namespace, self.names = kubectl, namespace, names

    def log(self):
        (name,) = self.names()
        text = self._kubectl("logs", name, "-n", self._namespace, "--limit-bytes=10000000")
        return text.removesuffix("\n").split("\n")

    def over(self):
        (name,) = self.names()
        path = "jsonpath={.status.phase}"
        phase = self._kubectl("get", "pod", name, "-n", self._namespace, "-o", path)
        return phase in {"Succeeded", "Failed"}


@pytest.fixture
def pod(kubectl, engine, build_pods):
    return Pod(kubectl, engine.namespace, build_pods)


class Viewer:
    """Reads a build's events for as long as there are any, and always comes back."""

    def __init__(self, service, build_id):
        self.seen = []
        self.times = []
        self._service, self._build_id = service, build_id
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def last_id(self):
        """Of the newest line that it has."""
        return next((line_id for line_id, _ in reversed(self.seen) if line_id), None)

    def has(self, text):
        return any(says(text)(event) for _, event in list(self.seen))

    def first_after(self, moment):
        """Seconds from a moment to the next line; None when there was none yet."""
        pairs = zip(list(self.times), list(self.seen), strict=False)
        return next((t - moment for t, (line_id, _) in pairs if t > moment and line_id), None)

    def join(self):
        """Wait for the build's end."""
        self._thread.join(100)
        assert not self._thread.is_alive(), self.seen[-3:]

    def _run(self):
        while not self.seen or self.seen[-1][1].get("phase") not in TERMINAL:
            # away, or there and not yet ready
            with suppress(requests.ConnectionError, requests.HTTPError):
                for each in self._service.events(self._build_id, self.last_id):
                    self.times.append(time.monotonic())
                    self.seen.append(each)
            time.sleep(0.02)


def lines(seen):
    """Ids and texts of the log's lines; what else there was, such as gaps."""
    log = [(line_id, event["text"]) for line_id, event in seen if event["type"] == "log"]
    return log, [event for _, event in seen if event["type"] == "gap"]


def check_log(seen, kubelets):
    """Each line once, in order, as the kubelet has it; the end of a push ends it earlier.

    :param kubelets: records; one of repo2docker's can be several lines.
    """
    log, gaps = lines(seen)
    assert gaps == []
    source = log[0][0].rpartition(":")[0]
    assert [line_id for line_id, _ in log] == [f"{source}:{index}" for index in range(len(log))]
    first, *records = kubelets
    assert first == FIRST_LINE
    texts = [text for record in records for text in re.split("\r?\n|\r", read_line(record)[0])]
    assert [text for _, text in log] == texts[: len(log)]


def asked(one, repository, who="ann"):
    answer = one.ask(repository.url, who)
    assert answer.status == 202, answer
    return answer.body["id"]


def test_a_viewer_gets_each_line_once_whatever_is_killed(start, new_repository, pod, audit, figure):
    one = start()
    repository = new_repository(repositories.slow, seconds=14)
    build = asked(one, repository)
    viewer, taken = Viewer(one, build), []
    for tick, end, pause in ((3, one.kill, 0.0), (9, one.kill, 2.0), (16, one.stop, 0.5)):
        until(lambda text=f"TICK {tick}": viewer.has(text), what=f"tick {tick}", every=0.02)
        end()
        time.sleep(pause)
        one.start(ready=False)
        begun = one.started
        until(lambda begun=begun: viewer.first_after(begun), what="a line", seconds=HANG)
        taken.append(viewer.first_after(begun))
    viewer.join()
    kubelets = pod.log()
    check_log(viewer.seen, kubelets)
    assert viewer.has("TICK 28")
    assert viewer.seen[-1][1]["phase"] == "built"
    # one who comes late reads the same, although most of it was said to earlier processes
    late = list(one.events(build))
    check_log(late, kubelets)
    assert lines(late) == lines(viewer.seen)
    assert len(audit.build_pods_created(one.config["KubernetesExecutor"]["namespace"])) == 1
    told = ", ".join(f"{seconds:.2f} s" for seconds in taken)
    figure(f"killed twice and stopped in mid-build: from the start to a viewer's next line: {told}")


def test_an_old_process_that_still_lives_disturbs_nothing(
    start, new_repository, pod, audit, tmp_path
):
    old = start()
    new = old.heir(tmp_path / "heir")
    repository = new_repository(repositories.slow, seconds=12)
    build = asked(old, repository)
    first = Viewer(old, build)
    until(lambda: first.has("TICK 3"), what="tick 3")
    try:
        new.start()
        second = Viewer(new, build)
        first.join()
        second.join()
        kubelets = pod.log()
        for viewer in (first, second):
            check_log(viewer.seen, kubelets)
            assert viewer.seen[-1][1]["phase"] == "built"
        old.kill()
        new.kill()
        new.start()
        later = list(new.events(build))
        # killed before its last page was kept, while the other one's end was: a gap, never silence
        log, gaps = lines(later)
        whole, _ = lines(second.seen)
        assert log == (whole[: len(log)] if gaps else whole)
        assert len(gaps) <= 1
        assert later[-1] == second.seen[-1]
        listed = new.api()("GET", "/api/builds").body["builds"]
        assert [each["id"] for each in listed] == [build]
        until(lambda: not pod.names(), what="the end of the pod")
    finally:
        new.stop()
    assert len(audit.build_pods_created(old.config["KubernetesExecutor"]["namespace"])) == 1


DELAYS = (0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 0.8)


def test_what_was_promised_is_built_once_whenever_the_service_is_killed(
    start, new_repository, audit, engine
):
    """Killed some time after the answer, mostly while the pod is being made."""
    one = start(linger=0)
    made, builds = [new_repository(repositories.tiny) for _ in DELAYS], []
    for repository, delay in zip(made, DELAYS, strict=True):
        builds.append(asked(one, repository))
        time.sleep(delay)
        one.kill()
        one.start()
    told = [one.api()("GET", f"/api/builds/{build}") for build in builds]
    lost = [delay for delay, answer in zip(DELAYS, told, strict=True) if answer.status != 200]
    assert not lost, f"builds are lost whose service was killed so many seconds later: {lost}"
    assert [list(one.events(build))[-1][1]["phase"] for build in builds] == ["built"] * len(made)
    names = audit.build_pods_created(engine.namespace)
    assert [sum(each.folder.name in name for name in names) for each in made] == [1] * len(made)


def test_who_asks_again_after_a_kill_gets_one_build(start, new_repository, audit, engine):
    """Killed some time after the request, whether it was answered or not: as a hub's starts do."""
    one = start(linger=0)
    made = [new_repository(repositories.tiny) for _ in DELAYS]

    def ask_in_vain(repository):
        with suppress(requests.ConnectionError):
            one.ask(repository.url)

    for repository, delay in zip(made, DELAYS, strict=True):
        asking = threading.Thread(target=ask_in_vain, args=[repository])
        asking.start()
        time.sleep(delay)
        one.kill()
        asking.join()
        one.start()
    answers = [one.ask(repository.url) for repository in made]
    builds = [answer.body["id"] for answer in answers]
    assert [list(one.events(build))[-1][1]["phase"] for build in builds] == ["built"] * len(made)
    names = audit.build_pods_created(engine.namespace)
    assert [sum(each.folder.name in name for name in names) for each in made] == [1] * len(made)


@pytest.mark.parametrize(("code", "phase"), [(0, "built"), (3, "failed")])
def test_a_build_that_ended_meanwhile_is_completed_with_its_whole_log(
    start, new_repository, pod, code, phase
):
    one = start(linger=20)
    ending = f"RUN sleep 1; echo THE END; exit {code}\n"
    repository = new_repository(lambda env: repositories.slow(env, seconds=2) + ending)
    build = asked(one, repository)
    one.until_event(build, says("TICK 2"))
    one.kill()
    until(pod.over, what="the end of the pod")
    kubelets = pod.log()
    one.start()
    seen = list(one.events(build))
    assert seen[-1][1]["phase"] == phase, seen[-1]
    assert seen[-1][1]["reason"] == (None if phase == "built" else "build-failed")
    assert any(says("THE END")(event) for _, event in seen)
    check_log(seen, kubelets)
    assert one.build(build)["phase"] == phase


def test_what_was_queued_keeps_its_place_and_is_built_in_order(
    start, new_repository, audit, engine
):
    one = start(max_builds=1, linger=0)
    first = new_repository(repositories.slow, seconds=8)
    rest = [new_repository(repositories.tiny) for _ in range(3)]
    builds = [asked(one, first)]
    one.until_event(builds[0], says("TICK 1"))
    builds += [
        asked(one, each, who) for each, who in zip(rest, ["ben", "cora", "ann"], strict=True)
    ]
    assert one.ask(rest[1].url, "ann").body["id"] == builds[2]
    one.kill()  # at once: what was answered for is stored
    one.start()
    assert one.build(builds[2], "ann")["id"] == builds[2]
    who = ["ann", "ben", "cora", "ann"]
    told = [one.build(build, name) for build, name in zip(builds, who, strict=True)]
    assert [each["phase"] in TERMINAL for each in told] == [False] * 4
    assert [each["phase"] for each in told[1:]] == ["waiting"] * 3
    for position, each in enumerate(told[1:], start=1):
        assert f"position {position}." in each["message"], told
    for build, name in zip(builds, who, strict=True):
        assert list(one.events(build, who=name))[-1][1]["phase"] == "built"
    names = audit.build_pods_created(engine.namespace)
    folders = [each.folder.name for each in [first, *rest]]
    assert [next(f for f in folders if f in name) for name in names] == folders


def test_what_was_built_before_is_still_told(start, new_repository, build_pods):
    one = start(linger=0)
    made = [new_repository(repositories.tiny) for _ in range(2)]
    builds = [asked(one, each) for each in made]
    before = [list(one.events(build)) for build in builds]
    # an image is weighed when its build is over
    until(lambda: all(one.build(build)["size"] for build in builds), what="the sizes")
    told = [one.build(build) for build in builds]
    until(lambda: not build_pods(), what="the end of all build pods")
    one.kill()
    one.start()
    assert [list(one.events(build)) for build in builds] == before
    assert [one.build(build) for build in builds] == told
    listed = one.api()("GET", "/api/builds").body["builds"]
    assert sorted(map(json.dumps, listed)) == sorted(map(json.dumps, told))
    # an image of theirs is vouched for, another one's word is not enough
    image = {"image": told[0]["image"]}
    assert one.api()("POST", "/api/images", image).status == 200
    assert one.api("ben")("POST", "/api/images", image).status == 404
    # halfway, as a viewer who comes back
    middle = [line_id for line_id, _ in before[0] if line_id][3]
    rest = list(one.events(builds[0], middle))
    assert [pair for pair in rest if pair[0]] == [pair for pair in before[0] if pair[0]][4:]
    assert rest[-1] == before[0][-1]


def test_what_was_cancelled_stays_cancelled(start, new_repository, audit, engine, build_pods):
    one = start(max_builds=1)
    running, queued = (new_repository(repositories.slow, seconds=20) for _ in range(2))
    builds = [asked(one, running), asked(one, queued, "ben")]
    one.until_event(builds[0], says("TICK 1"))
    for build, who in ((builds[1], "ben"), (builds[0], "ann")):
        assert one.api(who)("POST", f"/api/builds/{build}/cancel").body["phase"] == "cancelled"
    one.kill()
    one.start()
    for build, who in zip(builds, ("ann", "ben"), strict=True):
        told = one.build(build, who)
        assert (told["phase"], told["reason"]) == ("cancelled", "cancelled")
        seen = list(one.events(build, who=who))
        assert enters("cancelled")(seen[-1][1])
    until(lambda: not build_pods(), what="the end of the pod", seconds=20)
    assert len(audit.build_pods_created(engine.namespace)) == 1
