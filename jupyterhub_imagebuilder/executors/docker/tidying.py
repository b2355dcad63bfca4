"""Keeps what builds leave in an engine within bounds: images, untagged layers, BuildKit's cache.

An image is ours where its label names the tag that it was built under.  That tag alone is removed:
an image that somebody has named otherwise, too, stays.  What a container uses, running or not,
stays in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.ports import ClaimState, Clock
from jupyterhub_imagebuilder.executors.docker import container
from jupyterhub_imagebuilder.executors.docker.engine import Engine, EngineError, Json

LOGGER = logging.getLogger(__name__)

#: Seconds after the start before the first time: a hub that starts has other things to do.
_FIRST = 300.0
#: Seconds in which a new image is safe from the limit of size: its server is about to start.
_YOUNG = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay."""

    age: float  #: seconds since an image was built, or was last seen in use
    size: int  #: bytes of all images of ours; layers that they share count once
    cache: int  #: bytes of BuildKit's cache; negative leaves it alone


@dataclass(frozen=True, slots=True)
class _Image:
    id: str
    name: str  #: the tag that it was built under
    tagged: bool  #: it still has that tag
    used: float  #: when it was built, tagged, or last seen in use
    layers: tuple[str, ...]


class Tidier:
    """Tidies one engine.

    :param label: of our images and containers, ``name=value``.
    """

    def __init__(self, engine: Engine, clock: Clock, *, label: str, limits: Limits) -> None:
        self._engine = engine
        self._clock = clock
        self._label = label
        self._limits = limits
        self._seen: dict[str, float] = {}  # when an image was last seen in use

    async def run(self, interval: float) -> None:
        """Tidy up for ever, every ``interval`` seconds; ends by cancellation alone."""
        await self._clock.sleep(min(_FIRST, interval))
        while True:
            try:
                await self.tidy()
            except EngineError as error:
                LOGGER.warning("Cannot tidy up the engine now: %s", error.message)
            except Exception:
                LOGGER.exception("Tidying up the engine failed")
            await self._clock.sleep(interval)

    async def tidy(self) -> list[str]:
        """Remove what is too old or too much, once; names or ids of the images that went.

        :raises EngineError: the engine does not answer.
        """
        # containers first: one that starts after this has an image that is still there, and the
        # engine refuses to remove it then
        containers = await self._engine.containers()
        used = {str(item["ImageID"]) for item in containers}
        images = await self._images(used)
        free = sorted((i for i in images if i.id not in used), key=lambda image: image.used)
        gone = await self._remove([image for image in free if self._too_old(image)])
        left = [image for image in images if image not in gone]
        gone += await self._shrink(left, [image for image in free if image not in gone])
        if not self._building(containers):
            # the last layer of a running build looks like what a failed one left
            gone += await self._remove(self._leavings(free, left))
        await self._prune_cache()
        if gone:
            LOGGER.info("Removed %s old images: %s", len(gone), ", ".join(i.name for i in gone))
        return [image.name if image.tagged else image.id for image in gone]

    async def _images(self, used: set[str]) -> list[_Image]:
        now, found = self._clock.now(), []
        for listed in await self._engine.images(self._label):
            image = await self._engine.inspect_image(str(listed["Id"]))
            name = _labels(image).get(container.IMAGE)
            if image is None or name is None:
                continue
            if image["Id"] in used:
                self._seen[image["Id"]] = now
            tags = image.get("RepoTags") or []
            if tags and name not in tags:
                continue  # built from one of ours by somebody else, or named anew
            found.append(self._read(image, name, tagged=bool(tags)))
        self._seen = {image.id: self._seen[image.id] for image in found if image.id in self._seen}
        return found

    def _read(self, image: Json, name: str, *, tagged: bool) -> _Image:
        times = [image.get("Created"), (image.get("Metadata") or {}).get("LastTagTime")]
        made = max((_seconds(time) for time in times if time), default=0.0)
        layers = tuple((image.get("RootFS") or {}).get("Layers") or ())
        last = max(made, self._seen.get(image["Id"], 0.0))
        return _Image(str(image["Id"]), name, tagged, last, layers)

    def _too_old(self, image: _Image) -> bool:
        return image.tagged and self._clock.now() - image.used >= self._limits.age

    async def _shrink(self, images: Sequence[_Image], free: Iterable[_Image]) -> list[_Image]:
        """Remove the oldest until the rest is small enough."""
        sizes = {image.id: await self._layers(image) for image in images if image.tagged}
        gone: list[_Image] = []
        for image in free:
            total = sum(dict(layer for layers in sizes.values() for layer in layers).values())
            if total <= self._limits.size:
                break
            if image.tagged and self._clock.now() - image.used >= _YOUNG:
                gone += await self._remove([image])
                sizes.pop(image.id, None)
        return gone

    async def _layers(self, image: _Image) -> list[tuple[object, int]]:
        """Its layers' sizes, each by the history up to it: what is shared has the same."""
        try:
            history = await self._engine.history(image.id)
        except EngineError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return []
        below: tuple[object, ...] = ()
        found: list[tuple[object, int]] = []
        for layer in reversed(history):
            below = (hash(below), layer.get("Created"), layer.get("CreatedBy"))
            found.append((below, int(layer.get("Size") or 0)))
        return found

    def _leavings(self, free: Iterable[_Image], images: Sequence[_Image]) -> list[_Image]:
        """Untagged images of builds that failed, or were done again."""
        whole = {image.name: image.layers for image in images if image.tagged}
        return [
            image
            for image in free
            if not image.tagged
            and self._clock.now() - image.used >= min(self._limits.age, _YOUNG)
            and not _built_from(image.layers, whole.get(image.name))
        ]

    async def _remove(self, images: Iterable[_Image]) -> list[_Image]:
        gone = []
        for image in images:
            try:
                await self._engine.remove_image(image.name if image.tagged else image.id)
            except EngineError as error:
                if error.code is None:
                    raise
                # in use by now, or by a child; or gone
                LOGGER.debug("Image %s stays: %s", image.name, error.words)
            else:
                gone.append(image)
        return gone

    async def _prune_cache(self) -> None:
        if self._limits.cache < 0:
            return
        freed = await self._engine.prune_build_cache(self._limits.cache, self._limits.age)
        if freed:
            LOGGER.info("Removed %s MB of the build cache", freed // 10**6)

    def _building(self, containers: Iterable[Json]) -> bool:
        name, _, value = self._label.partition("=")
        ours = [item for item in containers if (item.get("Labels") or {}).get(name) == value]
        claims = filter(None, map(container.read_claim, ours))
        return any(claim.state is ClaimState.RUNNING for claim in claims)


def _built_from(layers: Sequence[str], base: Sequence[str] | None) -> bool:
    """Whether somebody went on from an image of ours: its labels are inherited."""
    return base is not None and len(layers) > len(base) and list(layers[: len(base)]) == list(base)


def _labels(image: Json | None) -> dict[str, str]:
    return ((image or {}).get("Config") or {}).get("Labels") or {}


def _seconds(time: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(time).timestamp()
