"""What a pod's state means for its build: what it waits for, what is wrong, how it ended.  Pure.

Source of the words: the kubelet's container states and events, the scheduler's condition
``PodScheduled``, as Kubernetes 1.28 to 1.36 report them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors import diagnosis, repo2docker
from jupyterhub_imagebuilder.executors.entrypoint import ENGINE_UNAVAILABLE
from jupyterhub_imagebuilder.executors.kubernetes.api import Json
from jupyterhub_imagebuilder.executors.kubernetes.manifest import CONTAINER, FETCHER

_PULL = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
#: The last is Karpenter's.
_AUTOSCALER = frozenset({"TriggeredScaleUp", "NotTriggerScaleUp", "Nominated"})
#: The kubelet has mounted everything when it says one of these.
_AFTER_MOUNT = frozenset({"Pulling", "Pulled", "Created", "Started", "Failed", "BackOff"})
_SIGNALS = frozenset({137, 143})
_WORDS_LIMIT = 400


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something keeps the pod from starting; it is fatal when it lasts."""

    reason: Reason
    message: str


def started(pod: Json) -> bool:
    """Whether the container runs or ran: there is a log."""
    state = _state(pod)
    return "running" in state or "terminated" in state


def over(pod: Json) -> bool:
    """Whether the container has ended, or will never run: its log will not grow."""
    return "terminated" in _state(pod) or finished(pod)


def finished(pod: Json) -> bool:
    """Whether the pod has come to its end."""
    return _status(pod).get("phase") in ("Succeeded", "Failed")


def fetching(pod: Json) -> bool:
    """Whether the container runs that fetches a private repository before the build."""
    return "running" in _fetcher(pod)


def fetched(pod: Json) -> bool:
    """Whether that one has ended."""
    return "terminated" in _fetcher(pod)


def waits_for(pod: Json, events: Sequence[Json]) -> str:
    """What a pod that does not run yet waits for: one sentence."""
    problem = trouble(pod, events)
    if problem:
        return problem.message
    if fetching(pod):
        return "The private repository is being fetched."
    node = pod["spec"].get("nodeName")
    if not node:
        scaling = _last(events, _AUTOSCALER)
        return f"Waiting for a node: {scaling}" if scaling else "Waiting for a node."
    last = events[-1] if events else {}
    if last.get("reason") == "Pulling":
        return f"Node {node} pulls the image that builds."
    if last.get("type") == "Warning":
        return f"Starting the build on node {node}: {_cut(str(last.get('message')))}"
    return f"Starting the build on node {node}."


def trouble(pod: Json, events: Sequence[Json]) -> Trouble | None:
    """Why the pod does not start; None while everything takes its course."""
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") == "False":
        words = condition.get("message") or condition.get("reason") or "no node fits"
        scaling = _last(events, _AUTOSCALER)
        return Trouble(
            Reason.UNSCHEDULABLE,
            f"No node can take the build: {_cut(words)}" + (f" ({scaling})" if scaling else ""),
        )
    # before the build's own container has its turn, it says no more than that
    waiting = _fetcher(pod).get("waiting") or _state(pod).get("waiting") or {}
    said = waiting.get("message") or _last(events, {"Failed"}) or waiting.get("reason") or ""
    if waiting.get("reason") in _PULL:
        # while the node waits for its next attempt, the state says no more than that
        failed = [event for event in events if "pull image" in str(event.get("message"))]
        said = _last(failed, {"Failed"}) or said
        return Trouble(Reason.IMAGE_PULL, f"The image that builds cannot be pulled: {_cut(said)}")
    if waiting.get("reason") in _CONFIG:
        return Trouble(
            Reason.MOUNT_FAILED, f"The build's container cannot be created: {_cut(said)}"
        )
    before = not (started(pod) or fetching(pod) or fetched(pod))
    if before and _mount_failed(events):
        words = _last(events, {"FailedMount", "FailedAttachVolume"})
        return Trouble(
            Reason.MOUNT_FAILED, f"A volume of the build pod cannot be mounted: {_cut(words)}"
        )
    return None


def ending(pod: Json, lines: Sequence[str], *, pushing: bool) -> BuildFailed | None:
    """How a finished pod's build ended; None when it went through.

    :param lines: the end of its log; empty where it could not be read.
    :param pushing: the log has shown the push to have begun.
    """
    if _status(pod).get("phase") == "Succeeded":
        return None
    return _ended_by_cluster(pod) or _ended_by_itself(pod, lines, pushing=pushing)


def _ended_by_itself(pod: Json, lines: Sequence[str], *, pushing: bool) -> BuildFailed:
    status = _status(pod)
    terminated = _terminated(pod)
    code = terminated.get("exitCode")
    if terminated.get("reason") == "OOMKilled":
        return BuildFailed(
            "The build pod needed more memory than it may use.", Reason.OUT_OF_MEMORY
        )
    tail = list(lines) or last_words(pod)
    if code == ENGINE_UNAVAILABLE:
        said = tail[-1] if tail else "The container engine of the node does not answer."
        return BuildFailed(f"{said} An admin has to look at it.", Reason.ENGINE_UNAVAILABLE)
    if pod["metadata"].get("deletionTimestamp") and code in _SIGNALS:
        return lost()
    if code is None:
        words = terminated.get("message") or status.get("message") or status.get("reason")
        return BuildFailed(f"The build pod failed: {_cut(words or 'no word why')}")
    return diagnosis.explain(tail, pushing=pushing)


def last_words(pod: Json) -> list[str]:
    """The end of the log as the pod's status keeps it."""
    message = _terminated(pod).get("message") or ""
    return [repo2docker.read_line(line).text for line in message.splitlines()]


def lost() -> BuildFailed:
    """The pod was deleted, or its node went away, before the build had ended."""
    return BuildFailed(
        "The build pod was deleted, or its node went away, before the build had ended.",
        Reason.EXECUTOR_LOST,
    )


def _ended_by_cluster(pod: Json) -> BuildFailed | None:
    status = _status(pod)
    reason, words = status.get("reason"), _cut(status.get("message") or "")
    if reason == "DeadlineExceeded":
        return BuildFailed("The build took longer than it may.", Reason.TIMEOUT)
    if reason == "Evicted":
        return BuildFailed(f"Kubernetes took the build's room back: {words}", Reason.EVICTED)
    disruption = _condition(pod, "DisruptionTarget")
    if disruption.get("status") == "True":
        said = _cut(disruption.get("message") or disruption.get("reason") or "")
        return BuildFailed(f"Kubernetes took the build's room back: {said}", Reason.EVICTED)
    if reason in ("NodeLost", "NodeShutdown", "Shutdown", "Terminated"):
        return BuildFailed(f"The build's node went away: {words or reason}", Reason.EXECUTOR_LOST)
    return None


def _mount_failed(events: Sequence[Json]) -> bool:
    failed = False
    for event in events:
        if event.get("reason") in ("FailedMount", "FailedAttachVolume"):
            failed = True
        elif event.get("reason") in _AFTER_MOUNT:
            failed = False
    return failed


def _status(pod: Json) -> Json:
    status: Json = pod.get("status") or {}
    return status


def _state(pod: Json) -> Json:
    """State of the build's own container: others may have been injected beside it."""
    return _state_of(pod, "containerStatuses", CONTAINER)


def _fetcher(pod: Json) -> Json:
    """State of the container that fetches a private repository; empty where there is none."""
    return _state_of(pod, "initContainerStatuses", FETCHER)


def _terminated(pod: Json) -> Json:
    """How the build's container ended, or the one without which it does not start."""
    found: Json = _state(pod).get("terminated") or {}
    fetching: Json = _fetcher(pod).get("terminated") or {}
    return found or (fetching if fetching.get("exitCode") else {})


def _state_of(pod: Json, kind: str, name: str) -> Json:
    for container in _status(pod).get(kind) or []:
        if container.get("name") == name:
            state: Json = container.get("state") or {}
            return state
    return {}


def _condition(pod: Json, kind: str) -> dict[str, Any]:
    for condition in _status(pod).get("conditions") or []:
        if condition.get("type") == kind:
            found: Json = condition
            return found
    return {}


def _last(events: Sequence[Json], reasons: frozenset[str] | set[str]) -> str:
    for event in reversed(events):
        if event.get("reason") in reasons:
            return str(event.get("message") or event["reason"])
    return ""


def _cut(words: str) -> str:
    text = " ".join(words.split())
    return text if len(text) <= _WORDS_LIMIT else text[: _WORDS_LIMIT - 1] + "…"
