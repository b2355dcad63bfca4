"""``python3 -m tools.demo.clean``: remove all that the demo has made, and say what stays.

Python's own library alone: the demo's environment may be gone, or go now.
Exit code: 0, also where there was nothing; 1 where something of the demo's could not be removed.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.demo import engine, machine, making, packages
from tools.demo.api import Api, EngineError
from tools.demo.containers import LABEL, OWNER, Containers
from tools.demo.processes import end_left
from tools.demo.state import CLONE, State, Unusable, default_folder, say

#: How the names of the example's homes begin.
_HOMES = "imagebuilder-home-"


def clean(state: State) -> bool:
    """Remove it all; whether nothing is left of it."""
    steps: tuple[Callable[[State], list[str]], ...] = (_engines, _private, _packages)
    left: list[str] = []
    run = state.recall("run")
    if run:
        # of a demo that was killed
        end_left(Path(run) / "processes.json")
    for step in steps:
        try:
            left += step(state)
        except (Unusable, EngineError) as error:
            left.append(str(error))
    _remove_environment()
    if left:
        for line in left:
            say(f"left: {line}")
        return False
    if run:
        _remove(Path(run))
    _remove(state.folder)
    return not state.folder.exists()


def _engines(state: State) -> list[str]:
    """What is ours in engines of others."""
    left = []
    for host, before in (state.recall("engines") or {}).items():
        if Api(host).answers():
            left += _empty(host, before)
        else:
            left.append(
                f"what the demo has in the container engine at {host}, which does not answer:"
                " start it, and say `make demo-clean` again"
            )
    return left


def _empty(host: str, before: dict[str, list[str]]) -> list[str]:
    """Remove from an engine what was not there before.

    :param before: the volumes that were, and the images that the demo has pulled.
    """
    api = Api(host)
    Containers(host).remove()
    for image in _images(api):
        api.delete(f"/images/{image}", force=True)
    # last: the demo's own are made of the base
    left = [
        f"the image {name}, which a container uses"
        for name in before["pulled"]
        if _stays(api, name)
    ]
    names = [str(each["Name"]) for each in api.get("/volumes")["Volumes"] or []]
    homes = [each for each in names if each.startswith(_HOMES) and each not in before["volumes"]]
    used = [each for each in homes if not api.delete(f"/volumes/{each}")]
    return left + [f"the volume {each}, which a container uses" for each in used]


def _images(api: Api) -> list[str]:
    """Names, or ids where they have none, of images of ours: what was built first, then bases."""
    ours = api.get("/images/json", filters={"label": [f"{LABEL}={OWNER}"]})
    made = api.get("/images/json", filters={"reference": [f"{making.PREFIX}*"]})
    built = [name for each in ours for name in (each["RepoTags"] or [each["Id"]])]
    names = [name for each in made for name in each["RepoTags"] or []]
    return [*built, *sorted(names, key=lambda name: name == making.ROOT)]


def _stays(api: Api, image: str) -> bool:
    return not api.delete(f"/images/{image}") and api.has(f"/images/{image}/json")


def _private(state: State) -> list[str]:
    """The engine of the demo's own."""
    if engine.remove_private(state):
        return []
    return [f"the container engine's data in {state.engine}"]


def _packages(state: State) -> list[str]:
    stay = packages.remove(state)
    if stay:
        # no reason to come again: they belong to what needs them now
        say(f"left the packages {' '.join(stay)}: others need them now")
    return []


def _remove_environment() -> None:
    """Packages, what was built with them, and what Python keeps compiled beside the code."""
    shutil.rmtree(CLONE / ".venv-demo", ignore_errors=True)
    modules = CLONE / "frontend" / "node_modules"
    # one with the tools of tests in it is somebody's who works here, and so is what it built
    if not (modules / ".all").exists():
        shutil.rmtree(modules, ignore_errors=True)
        shutil.rmtree(CLONE / "jupyterhub_imagebuilder" / "static", ignore_errors=True)
    for folder in ("jupyterhub_imagebuilder", "tools"):
        for cache in list((CLONE / folder).rglob("__pycache__")):
            shutil.rmtree(cache, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a folder; what is root's in it too."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and machine.has_root():
        words = machine.as_root(["rm", "-rf", "--one-file-system", str(folder)])
        subprocess.run(words, check=False, capture_output=True)  # noqa: S603


def main() -> int:
    """Remove the demo of this clone."""
    state = State(default_folder())
    if not state.folder.exists():
        _remove_environment()
        say("nothing is left to remove")
        return 0
    with (state.hub / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("the demo is running: stop it with Ctrl-C first")
            return 1
        done = clean(state)
    if done:
        say(f"removed all of it, {state.folder} too")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
