"""Writes that the database did not take, in files, until it does.

A file is a line that says what it is, and records behind it: length and CRC-32 of what follows
(two big-endian unsigned 32-bit numbers), then zlib over JSON.  Each process writes a file of its
own, which it holds locked; what a process that is gone has left is taken over by the next one.
What was cut short by the end of a process ends the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyterhub_imagebuilder.builds.model import OwnerKind
from jupyterhub_imagebuilder.builds.record import BuildRecord, Page
from jupyterhub_imagebuilder.store import codec
from jupyterhub_imagebuilder.store.fold import Write

log = logging.getLogger(__name__)

_MAGIC = b"imagebuilder spool 1\n"
_HEAD = struct.Struct(">II")
_SUFFIX = ".spool"
#: What pages may use of the room; states, which are small, have the rest for themselves.
_PAGES_SHARE = 0.75


class Spool:
    """Writes on disk, in order.  Not for two threads at once.

    :param folder: made where it is absent.
    :param limit: bytes that it may use.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._file: _File | None = None  # that of this process
        self._left: list[_File] = []  # those of earlier ones, oldest first

    @property
    def empty(self) -> bool:
        """Whether nothing is to be handed over."""
        return not self._left and self._file is None

    def find(self) -> None:
        """Take over what processes that are gone have left."""
        try:
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"))
        except OSError:
            return
        mine = {file.path for file in (*self._left, self._file) if file is not None}
        for path in paths:
            if path not in mine and (file := _File.take(path)) is not None:
                log.info("found writes that an earlier process could not hand over: %s", path.name)
                self._left.append(file)

    def add(self, writes: Sequence[Write]) -> list[Write]:
        """Keep writes; on the disk when this returns.

        :returns: those for which there is no room.
        """
        refused = []
        data = bytearray()
        used = sum(file.size for file in (*self._left, self._file) if file is not None)
        for write in writes:
            record = _encode(write)
            share = _PAGES_SHARE if isinstance(write.content, Page) else 1.0
            if used + len(data) + len(record) > self._limit * share:
                refused.append(write)
            else:
                data += record
        if not data:
            return refused
        try:
            if self._file is None:
                self._file = _File.new(self._folder)
            self._file.append(bytes(data))
        except OSError as error:
            log.debug("cannot spool: %s", error)
            return list(writes)
        return refused

    def batches(self, count: int, size: int) -> Iterator[list[Write]]:
        """All that is kept, in order, up to ``count`` writes and about ``size`` bytes at once.

        Each file goes when what was in it has been taken; taking it twice changes nothing.
        """
        while self._left:
            yield from self._left[0].batches(count, size)
            self._left.pop(0).remove()
        if self._file is not None:
            yield from self._file.batches(count, size)
            self._file.remove()
            self._file = None

    def close(self) -> None:
        """Leave the files to the next process."""
        for file in (*self._left, self._file):
            if file is not None:
                file.close()
        self._left, self._file = [], None


class _File:
    """One file, open and locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def new(cls, folder: Path) -> _File:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{time.time_ns():020}-{os.getpid()}{_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        file = cls(path, os.open(path, flags, 0o600))
        try:
            _lock(file._descriptor)
            file.append(_MAGIC)
            _sync_folder(folder)
        except OSError:
            file.remove()
            raise
        return file

    @classmethod
    def take(cls, path: Path) -> _File | None:
        """The file of a process that is gone; None while it lives."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return None
        with contextlib.suppress(OSError):
            # its owner may have emptied and removed it between our two steps
            if _lock(descriptor) and os.fstat(descriptor).st_ino == path.stat().st_ino:
                return cls(path, descriptor)
        os.close(descriptor)
        return None

    def append(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError:
            # half a record would hide those behind it
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def batches(self, count: int, size: int) -> Iterator[list[Write]]:
        batch: list[Write] = []
        held = 0
        for record in self._records():
            try:
                batch.append(_decode(record))
            except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
                log.warning("a record of %s makes no sense and is left out", self.path.name)
                continue
            held += len(record)
            if len(batch) >= count or held >= size:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def _records(self) -> Iterator[bytes]:
        if os.pread(self._descriptor, len(_MAGIC), 0) != _MAGIC:
            return
        place = len(_MAGIC)
        while head := os.pread(self._descriptor, _HEAD.size, place):
            if len(head) < _HEAD.size:
                break
            length, check = _HEAD.unpack(head)
            data = os.pread(self._descriptor, length, place + _HEAD.size)
            if len(data) < length or zlib.crc32(data) != check:
                break
            yield data
            place += _HEAD.size + length
        if place < self.size:
            log.warning("the end of %s was not written completely: left out", self.path.name)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a volume without locks has one user, let us hope
        log.debug("no locks in the spool's folder: %s", error)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(write: Write) -> bytes:
    content: dict[str, Any] = {"id": write.build_id, "author": write.author}
    if isinstance(write.content, Page):
        content["first"] = write.content.first
        content["mark"] = write.content.mark
        content["pages"] = codec.contents(write.content.events)
    else:
        content["build"] = codec.columns(write.content)
        content["owners"] = sorted((kind.value, name) for kind, name in write.content.owners)
    data = zlib.compress(json.dumps(content, separators=(",", ":")).encode("ascii"), 1)
    return _HEAD.pack(len(data), zlib.crc32(data)) + data


def _decode(data: bytes) -> Write:
    content = json.loads(zlib.decompress(data))
    kept: BuildRecord | Page
    if "build" in content:
        owners = ((OwnerKind(kind), name) for kind, name in content["owners"])
        kept = codec.record(SimpleNamespace(**content["build"]), owners)
    else:
        events = tuple(event for page in content["pages"] for event in codec.read(page))
        kept = Page(content["first"], events, content["mark"])
    return Write(content["id"], content["author"], kept)
