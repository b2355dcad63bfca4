"""The two images that the demo needs: one to build on, and one that builds."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from dataclasses import dataclass

from tools.demo import making
from tools.demo.api import Api, EngineError
from tools.demo.engine import Engine
from tools.demo.state import State, Unusable, say

#: What a hub's admin would name; the second is the executor's own default.
BASE = "quay.io/jupyter/base-notebook:2025-07-14"
BUILD = "quay.io/jupyterhub/repo2docker:2026.04.0"
_REGISTRY = "https://quay.io/v2/"
#: Seconds for the registry to say anything at all, and for a pull to go on.
_ANSWERS = 5.0
_PULLS = 60.0


@dataclass(frozen=True)
class Images:
    """Names of images that the engine has."""

    base: str  #: JupyterLab and jupyterhub-singleuser for jovyan (1000, /home/jovyan)
    build: str  #: repo2docker, for ``DockerExecutor.build_image``

    @property
    def buildx(self) -> bool:
        """Whether the one that builds knows arguments for buildx."""
        return self.build != making.CLASSIC


def prepare(engine: Engine, state: State) -> Images:
    """Pull them, or make them where they cannot be pulled.  :raises Unusable: neither works."""
    pulled = Images(BASE, BUILD)
    made = [Images(making.BASE, build) for build in (making.BUILD, making.CLASSIC)]
    for images in (pulled, *made):
        if _has(engine.api, images):
            return images
    if registry_answers() and _pull(engine, state, pulled):
        return pulled
    say(
        "quay.io cannot be reached: making its two images from the distribution's packages"
        " instead, which takes a minute or two, once"
    )
    try:
        return Images(*making.make(engine.api, state))
    except EngineError as error:
        raise Unusable(f"the images could not be made: {error}") from error


def registry_answers(address: str = _REGISTRY) -> bool:
    """Whether there is a registry: it asks for a login (401), or lets everybody in."""
    try:
        with urllib.request.urlopen(address, timeout=_ANSWERS):  # noqa: S310 - https
            return True
    except urllib.error.HTTPError as error:
        # what stands in a company's way to the world says other things
        return "registry" in error.headers.get("Docker-Distribution-Api-Version", "")
    except (OSError, ValueError):
        return False


def _has(api: Api, images: Images) -> bool:
    return all(api.has(f"/images/{name}/json") for name in (images.base, images.build))


def _pull(engine: Engine, state: State, images: Images) -> bool:
    """Pull what is missing; whether it is all there."""
    api = engine.api
    missing = [name for name in (images.base, images.build) if not api.has(f"/images/{name}/json")]
    say(f"pulling {' and '.join(missing)}")
    # before the first byte: a pull that is cut off may have brought the image all the same
    engines = state.recall("engines") or {}
    if engine.host in engines:
        known = engines[engine.host]
        known["pulled"] = sorted({*known["pulled"], *missing})
        state.remember(engines=engines)
    got: list[str] = []
    # daemons: Ctrl-C has nobody wait until the pulls are through
    pulls = [
        threading.Thread(target=_pull_one, args=(api, name, got), daemon=True) for name in missing
    ]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()
    return len(got) == len(missing)


def _pull_one(api: Api, image: str, got: list[str]) -> None:
    name, _, tag = image.rpartition(":")
    query = [("fromImage", name), ("tag", tag)]
    try:
        for _ in api.work("/images/create", timeout=_PULLS, query=query):
            pass
    except EngineError as error:
        say(f"{image} could not be pulled: {error}")
    else:
        got.append(image)
