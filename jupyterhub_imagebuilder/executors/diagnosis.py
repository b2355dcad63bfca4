"""Why a build failed, read from the end of its log.  Pure.

repo2docker exits with 1 for everything, so that the reason has to come from the text: BuildKit's
summary of the failed step, Docker's messages of a push, git's.  Sources: real builds with
repo2docker 2024.07 and 2026.04 on Docker 20.10 and what BuildKit prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import BuildFailed, Reason
from jupyterhub_imagebuilder.executors import fetcher, repo2docker

#: Lines from the end that are looked at: what a step said long before is not why it failed.
TAIL = 60
#: Of these, those among which the client of a lost engine says so.
_LAST = 12
_QUOTE_LIMIT = 300

_ERROR = re.compile(r"#\d+ ERROR\b|ERROR\b|error\b|fatal:|non-zero code: ", re.IGNORECASE)
# BuildKit's words, the classic builder's, and those of tools whose own child was killed
_KILLED = re.compile(
    r"(?:exit code:?|returned a non-zero code:|exit status) 137\b"
    r"|died with <Signals\.SIGKILL: 9>|Killed signal terminated program"
)
# the docker client's words, and runc's where the engine went away beneath it; what a repository's
# own commands print stands behind a number and a time
_ENGINE_GONE = re.compile(
    r"(?!#\d+ |\d+\.\d+ )(?:.*: )?(?:"
    r"Cannot connect to the Docker daemon|error during connect: "
    r"|permission denied while trying to connect to the Docker daemon"
    r"|Docker client initialization error"
    r"|rpc error: code = Unavailable |error reading from server: EOF"
    r"|read unix .*: use of closed network connection)"
    # a registry's end of a connection has an address, or is plain "EOF"
    r"|ERROR: (?:failed to build: )?unexpected EOF$"
    r"|(?:#\d+ )?\d+\.\d+ runc run failed: .*error running hook: .*dial unix \S*/libnetwork/"
)
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_DENIED = re.compile(
    r"denied|unauthorized|no basic auth credentials|authentication required"
    r"|\b401\b|\b403\b|insufficient_scope|forbidden",
    re.IGNORECASE,
)
# git's words, Mercurial's, repo2docker's and our own program's, for what is not there, not there
# any more, or not for us
_NO_REF = re.compile(
    r"fatal: remote error: |fatal: repository .* not found|fatal: couldn't find remote ref "
    r"|fatal: could not read Username for |fatal: (?:.* )?reference is not a tree"
    r"|fatal: Could not parse object '"
    r"|abort: HTTP Error 40[134]\b"
    r"|(?:Error during build: )?(?:[\w.]+: )?(?:"
    r"Failed to (?:check out|update to) ref "
    r"|(?:404|410) Client Error: .* for url: |HTTP Error (?:404|410): "
    r"|The dataset is not what it was |The archive does not know )"
    r"|(?:Error during build: )?(?:[\w.]+\.)?NotFoundExc(?:eption)?\b"
)
#: What the program says that fetches private repositories; it is the end of a log, and all of it.
_NOT_FETCHED = {
    fetcher.REFUSED: Reason.REF_NOT_FOUND,
    fetcher.MOVED: Reason.REF_NOT_FOUND,
    fetcher.NO_ANSWER: Reason.PROVIDER_UNAVAILABLE,
    fetcher.TOO_LONG: Reason.TIMEOUT,
}
# BuildKit's words for its steps, and the classic builder's
_STEP_SEEN = re.compile(
    r"#\d+ |Step \d+/\d+ : | > |-{4,}$|The command '.*' returned a non-zero code: "
)
_BUILT = re.compile(r"Successfully built [0-9a-f]{12}$")
_TAGGED = re.compile(r"Successfully tagged \S+$")
_TIME = re.compile(r"^(?:#\d+ )?\d+\.\d+ +")
_STEP = re.compile(r"^ ?> (\[.*?\].*?):?$")
_RULE = re.compile(r"^-{4,}$")
_WRAPPER = re.compile(r"^Error during build: ")


def explain(lines: Iterable[str], *, pushing: bool = False) -> BuildFailed:
    """Find reason and sentence for a build that ended badly.

    :param lines: the end of the log, as text (see :func:`repo2docker.read_line`).
    :param pushing: the push had begun in an earlier line already.
    """
    tail = [line for text in list(lines)[-TAIL:] for line in text.splitlines() if line.strip()]
    pushing = pushing or any(repo2docker.read_line(x).phase is Phase.PUSHING for x in tail)
    behind = _behind_the_build(tail)
    pushing = pushing or bool(behind)
    errors = behind or [line for line in tail if _ERROR.search(line)]
    if any(_DISK_FULL.search(line) for line in errors or tail):
        said = quote(tail, _DISK_FULL)
        return BuildFailed(
            f"The disk of the node or of its engine is full: {said}", Reason.DISK_FULL
        )
    gone = [line for line in tail[-_LAST:] if _ENGINE_GONE.match(line)]
    if gone:
        return BuildFailed(
            "The node's container engine went away; please try again, and tell an admin if it"
            f" stays so: {_shorten(_plain(gone[-1]))}",
            Reason.ENGINE_UNAVAILABLE,
        )
    return _push_failure(tail, errors) if pushing else _build_failure(tail, errors)


def _build_failure(tail: Sequence[str], errors: Sequence[str]) -> BuildFailed:
    if tail and tail[-1] in _NOT_FETCHED and not any(map(_STEP_SEEN.match, tail)):
        return BuildFailed(tail[-1], _NOT_FETCHED[tail[-1]])
    if _not_cloned(tail):
        return BuildFailed(
            "The repository, or the commit or version of it that was asked for, is not there any"
            f" more, or not public: {quote(tail, _NO_REF)}",
            Reason.REF_NOT_FOUND,
        )
    said = quote(tail)
    if any(_KILLED.search(line) for line in errors):
        return BuildFailed(
            "A step of the build was killed, probably for want of memory"
            + (f": {said}" if said else "."),
            Reason.OUT_OF_MEMORY,
        )
    return BuildFailed(
        f"The build failed: {said}" if said else "The build failed and its log does not say why."
    )


def quote(tail: Sequence[str], wanted: re.Pattern[str] | None = None) -> str:
    """The line or two that say what happened, at most about 300 characters.

    :param wanted: matches the line that was the reason, which says more than the last one.
    """
    step, inside = _failed_step(tail)
    if step and inside:
        return _shorten(f"{step}: {(_matching(inside, wanted) or inside)[-1]}")
    plain = [line for line in map(_plain, tail) if line and not _RULE.match(line)]
    errors = [line for line in plain[-8:] if _ERROR.search(line)]
    return _shorten((_matching(plain, wanted) or errors or plain or [""])[-1])


def _matching(lines: Sequence[str], wanted: re.Pattern[str] | None) -> list[str]:
    return [line for line in lines if wanted.search(line)] if wanted else []


def _not_cloned(tail: Sequence[str]) -> bool:
    """Whether the repository could not be got, before anything of it was built."""
    found = any(_NO_REF.match(line) for line in tail)
    return found and not any(_STEP_SEEN.match(line) for line in tail)


def _push_failure(tail: Sequence[str], errors: Sequence[str]) -> BuildFailed:
    if any(_DENIED.search(line) for line in errors):
        said = quote(tail, _DENIED)
        return BuildFailed(
            f"The image was built, but the registry refused the push: {said}", Reason.PUSH_DENIED
        )
    return BuildFailed(
        f"The image was built, but did not get into the registry: {quote(tail)}",
        Reason.PUSH_FAILED,
    )


def _behind_the_build(tail: list[str]) -> list[str]:
    """What came after the classic builder's last words: its push says nothing as it begins."""
    for index in range(len(tail) - 1, 0, -1):
        if _TAGGED.match(tail[index]) and _BUILT.match(tail[index - 1]):
            return tail[index + 1 :]
    return []


def _failed_step(tail: Sequence[str]) -> tuple[str, list[str]]:
    """BuildKit's summary: a rule, `` > [2/2] RUN …:``, the end of that step's output, a rule."""
    rules = [index for index, line in enumerate(tail) if _RULE.match(line.strip())]
    if len(rules) < 2:  # noqa: PLR2004 -- the block has a beginning and an end
        return "", []
    block = tail[rules[-2] + 1 : rules[-1]]
    found = _STEP.match(block[0]) if block else None
    return (found[1], [_plain(line) for line in block[1:]]) if found else ("", [])


def _plain(line: str) -> str:
    """Without what says nothing to the user: times, and the command line that repo2docker ran."""
    text = _TIME.sub("", line).strip()
    if _WRAPPER.match(text):
        text = _WRAPPER.sub("", text)
        return "" if text.startswith("Command '[") else text
    return re.sub(r"^#\d+ ERROR:", "ERROR:", text)


def _shorten(text: str) -> str:
    return text if len(text) <= _QUOTE_LIMIT else text[: _QUOTE_LIMIT - 1] + "…"
