"""The example's Git repository, and the server that the hub and its builds clone it from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.demo import ports
from tools.demo.processes import Processes
from tools.demo.state import State, Unusable

NAME = "example"
_CONTENT = Path(__file__).parent / "example"
_FROM = re.compile(r"^FROM .*$", re.MULTILINE)
#: Git's own.
_PORT = 9418
#: The commit follows from the content alone: neither from the day, nor from somebody's settings.
_IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "The demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "The demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def make(folder: Path, base: str) -> str:
    """Make the repository, or leave the one there is, where it has our commit.

    :param folder: the repositories' folder; this one is ``example`` in it.
    :param base: the image that its Dockerfile starts from.
    :returns: the commit of the content; who committed more on top of it keeps that.
    :raises Unusable: Git cannot do it.
    """
    fresh, target = folder / f".{NAME}", folder / NAME
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(_CONTENT, fresh)
    recipe = fresh / "Dockerfile"
    recipe.write_text(_FROM.sub(f"FROM {base}", recipe.read_text("utf-8")), "utf-8")
    _git(fresh, "init", "--quiet", "--initial-branch=main")
    _git(fresh, "add", "--all")
    _git(fresh, "commit", "--quiet", "--message=An example")
    commit = _git(fresh, "rev-parse", "HEAD")
    if _has(target, commit):
        shutil.rmtree(fresh)
    else:
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return commit


def serve(state: State, address: str, processes: Processes) -> str:
    """Serve the repository on one address of this machine.

    :param address: where containers reach this machine.
    :param processes: ends the server.
    :returns: the repository's address; the same at each start, as far as its port is free.
    :raises Unusable: it does not start.
    """
    port = ports.first_free(address, *filter(None, [state.recall("git_port")]), _PORT)
    state.remember(git_port=port)
    words = [
        "git",
        "daemon",
        f"--listen={address}",
        f"--port={port}",
        "--reuseaddr",
        "--export-all",
        f"--base-path={state.repository}",
        str(state.repository / NAME),  # and nothing else
    ]
    log = state.hub / "git.log"
    daemon = processes.start("the example's Git server", words, log, env=_environment())
    url = f"git://{address}:{port}/{NAME}"
    # the hub's form would ask it at once
    processes.wait_for(daemon, lambda: _answers(url), seconds=10)
    return url


def _answers(url: str) -> bool:
    return _run(["ls-remote", "--exit-code", url, "HEAD"]).returncode == 0


def _has(target: Path, commit: str) -> bool:
    if not (target / ".git").is_dir():
        return False
    return _run(["merge-base", "--is-ancestor", commit, "HEAD"], target).returncode == 0


def _git(folder: Path, *words: str) -> str:
    try:
        done = _run(words, folder)
    except OSError as error:
        raise Unusable(f"The example's repository cannot be made: {error.strerror}.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise Unusable(f"The example's repository cannot be made; Git says: {said[0]}")
    return done.stdout.strip()


def _run(words: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # words, no shell
        ["git", *words],  # noqa: S607  # wherever this machine has it
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment() -> dict[str, str]:
    """Without what somebody else has set for Git, such as the folder of another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_IDENTITY}
