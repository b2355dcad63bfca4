"""repo2docker's command line, and what a line of its output means.  Pure.

Source of the format: repo2docker 2024.07 to 2026.04 with ``--json-logs``, as measured: one JSON
object per line with ``message`` and, mostly, ``phase``; between them plain text of the programs
that it starts.  Since 2025.08 the push is part of ``docker buildx build`` and reported as phase
"building", so that it is recognised by its text.  Before, it has a phase of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from jupyterhub_imagebuilder.builds.model import BuildRequest, RepoSpec, ResolvedRef
from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.executors import entrypoint

#: Who the image's user is: what JupyterHub's images have always had.
USER_NAME = "jovyan"
USER_ID = 1000

_PHASES = {
    "fetching": Phase.FETCHING,
    "building": Phase.BUILDING,
    "pushing": Phase.PUSHING,
}

# BuildKit's plain progress puts a time behind the number of a step that prints ("#6 0.4 text"):
# what a repository's own commands print cannot look like these.
_PUSH = re.compile(
    r"(?:#\d+ |\s*> )pushing (?:\S+ with docker|layers?\b|manifest for )"
    r"|The push refers to repository \["
)
_STEP = re.compile(r"(#\d+) ")
_DOCKER = "docker"
_DOCKER_PUSHED = re.compile(r"\S+: digest: sha256:[0-9a-f]{64} size: \d+$")
_REPO2DOCKER_PUSHED = re.compile(r"Successfully pushed \S+$")
#: Which of repo2docker's content providers reads what a provider of ours knows; else Git.
_CONTENT_PROVIDERS = {
    "ckan": "CKAN",
    "dataverse": "Dataverse",
    "figshare": "Figshare",
    "hg": "Mercurial",
    "hydroshare": "Hydroshare",
    "swh": "Swhid",
    "zenodo": "Zenodo",
}
_RECORD_PAGE = re.compile(r"(https://(?!doi\.org/)[^/?#]+/records?/)[^/?#]+")
_RECORD = re.compile(r"[0-9]+|[a-z0-9]{5}-[a-z0-9]{5}")
_FIGSHARE_VERSION = re.compile(r"([0-9]+)\.v([0-9]+)")
_SWHID = re.compile(r"swh:1:(?:rev|dir):[0-9a-f]{40}")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")


class LogText(NamedTuple):
    """What one line of output says."""

    text: str  #: without its line end; several lines where the program put several into one
    phase: Phase | None  #: the phase that it shows the build to be in


def arguments(
    request: BuildRequest, *, buildx_args: Sequence[str] = (), extra_args: Sequence[str] = ()
) -> list[str]:
    """Arguments of ``jupyter-repo2docker`` for a build: separate words, no shell.

    :param buildx_args: passed on to ``docker buildx build``.
    :param extra_args: before the repository's address, which is the last one.
    :return: where repo2docker alone would not fetch it, the first is for our program in the pod.
    """
    return [
        *_own_arguments(request.spec),
        "--ref",
        request.resolved.commit,
        "--image",
        str(request.image),
        "--no-clean",
        "--no-run",
        "--json-logs",
        f"--user-name={USER_NAME}",
        f"--user-id={USER_ID}",
        *(["--push"] if request.image.registry else []),
        *(f"--DockerEngine.extra_buildx_build_args={argument}" for argument in buildx_args),
        *extra_args,
        source(request.resolved),
    ]


def _own_arguments(spec: RepoSpec) -> list[str]:
    name = content_provider(spec.provider)
    if name != entrypoint.GIT:
        return [f"{entrypoint.CONTENT_PROVIDER}{name}"]
    return [f"{entrypoint.FETCH}{spec.ref}"] if spec.ref.startswith("refs/") else []


def content_provider(provider_id: str) -> str:
    """Name of repo2docker's content provider for a provider of ours.

    It is the only one that a build has: others would ask servers of their own first.
    """
    return _CONTENT_PROVIDERS.get(provider_id, entrypoint.GIT)


def source(resolved: ResolvedRef) -> str:
    """What repo2docker is told to fetch: the repository, at its version where the address says it.

    The version of others is the ref.  An id that does not have its form changes nothing: a saved
    one comes from a client.
    """
    repository, commit = resolved.spec.repository, resolved.commit
    match resolved.spec.provider:
        case "zenodo" if _RECORD.fullmatch(commit):
            return _RECORD_PAGE.sub(lambda page: page[1] + commit, repository)
        case "figshare" if version := _FIGSHARE_VERSION.fullmatch(commit):
            return f"{repository}/{version[2]}"
        case "swh" if _SWHID.fullmatch(commit):
            return commit
    return repository


def read_line(line: str) -> LogText:
    """Understand one line of output, JSON or not; never raises.

    Credentials in addresses are blanked out.
    """
    text, phase = line, None
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            text = record["message"]
            phase = _PHASES.get(str(record.get("phase")))
    text = redact(text.rstrip("\r\n"))
    return LogText(text, Phase.PUSHING if _PUSH.match(text) else phase)


class PushEnd:
    """Recognises the end of a push in the lines of one build, in their order.

    With BuildKit it is ``#9 DONE 3.2s`` of the step that pushed, with Docker's own push the line
    that names the digest, with repo2docker's before 2025.08 its own last word.

    :param step: where an earlier one was, to go on from there.
    """

    def __init__(self, step: str = "") -> None:
        #: what pushes now: BuildKit's step (``#9``), or ``docker``; empty while nothing does
        self.step = step

    def seen_in(self, line: str, phase: Phase | None = None) -> bool:
        """Whether this line says that everything is pushed; True once.

        :param phase: that of :func:`read_line`.
        """
        if phase is Phase.PUSHING and _REPO2DOCKER_PUSHED.match(line):
            return True
        if self.step and self._done(line):
            self.step = ""
            return True
        if _PUSH.match(line):
            step = _STEP.match(line)
            self.step = step[1] if step else _DOCKER
        return False

    def _done(self, line: str) -> bool:
        if self.step == _DOCKER:
            return _DOCKER_PUSHED.match(line) is not None
        return line.startswith(f"{self.step} DONE ")


def redact(text: str) -> str:
    """Blank out ``user:password@`` in addresses."""
    return _CREDENTIALS.sub("***@", text) if "://" in text else text
