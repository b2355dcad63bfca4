"""Removal of the Debian packages that the demo has installed, where nothing else needs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence

from tools.demo import machine
from tools.demo.state import CLONE, State, Unusable

#: What other environments of this clone run on, if there are any.
_DEVELOPERS = ("git", "nodejs", "npm", "python3", "python3-venv", "shellcheck")
#: Rounds of leaving out what others need; each one leaves out more.
_ROUNDS = 20


def remove(state: State) -> list[str]:
    """Remove them; names of those that stay, because something that stays needs them.

    :raises Unusable: apt does not, or root cannot be had.
    """
    ours = _ours(state)
    if not ours:
        return []
    removable = plan(ours, _kept(), goes=_goes, needs=_needs)
    if removable:
        words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-qq"]
        done = subprocess.run(  # noqa: S603
            machine.as_root([*words, "purge", *sorted(removable)]),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise Unusable(f"apt could not remove packages: {said[-1] if said else ''}")
    return sorted(ours - removable)


def plan(
    ours: set[str],
    kept: set[str],
    *,
    goes: Callable[[set[str]], set[str]],
    needs: Callable[[set[str]], set[str]],
) -> set[str]:
    """Which of our packages can go without another one's going.

    :param kept: what has to stay, whether it is ours or not.
    :param goes: all packages that go where some are removed.
    :param needs: all packages that some need, directly or not; themselves too.
    """
    removable = ours - (needs(kept) if kept else set())
    for _ in range(_ROUNDS):
        others = goes(removable) - removable if removable else set()
        if not others:
            return removable
        fewer = removable - needs(others)
        if fewer == removable:
            break
        removable = fewer
    return set()


def parse_simulation(simulated: str) -> set[str]:
    """Read what ``apt-get --simulate`` would remove: lines of ``Remv`` or ``Purg`` and a name."""
    rows = (line.split() for line in simulated.splitlines())
    return {row[1] for row in rows if len(row) > 1 and row[0] in ("Remv", "Purg")}


def parse_depends(depends: str) -> set[str]:
    """Read ``apt-cache depends --recurse``: each package at the beginning of a line."""
    lines = (line for line in depends.splitlines() if line and not line[0].isspace())
    return {line.strip() for line in lines if not line.startswith("<")}


def bare(name: str) -> str:
    """A package's name without its architecture: tools differ in whether they say it."""
    return name.partition(":")[0]


def _ours(state: State) -> set[str]:
    if not state.packages.exists() or not machine.with_apt():
        return set()
    there = {bare(name) for name in machine.installed()}
    return {bare(name) for name in state.packages.read_text().split()} & there


def _kept() -> set[str]:
    """What this clone's other environments need."""
    if not any(path.name != ".venv-demo" for path in CLONE.glob(".venv*")):
        return set()
    return {*_DEVELOPERS} & {bare(name) for name in machine.installed()}


def _goes(names: set[str]) -> set[str]:
    said = _apt("apt-get", "--simulate", "purge", *sorted(names))
    return {bare(name) for name in parse_simulation(said)}


def _needs(names: set[str]) -> set[str]:
    options = ("no-recommends", "no-suggests", "no-conflicts", "no-breaks", "no-replaces")
    flags = ("--recurse", "--installed", *(f"--{option}" for option in (*options, "no-enhances")))
    said = _apt("apt-cache", "depends", *flags, *sorted(names))
    return {bare(name) for name in parse_depends(said)} | names


def _apt(*words: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    asked: Sequence[str] = words
    done = subprocess.run(asked, check=False, capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unusable(f"apt cannot say what may go: {said[-1] if said else ''}")
    return done.stdout
