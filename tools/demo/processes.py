"""The demo's processes: each is started, watched and ended here, with all that it starts itself.

They are remembered in a file, so that what a demo that was killed has left can be ended later.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.demo.family import Process, children_of, end_all, family, read, write
from tools.demo.state import Unusable

_INTERVAL = 0.1
#: Seconds for what a killed demo has left; users' servers are among it.
_GRACE = 15.0


@dataclass(eq=False)
class Child:
    """A process of ours."""

    name: str  #: in a sentence
    log: Path
    handle: subprocess.Popen[bytes]
    #: what it has started, also when it is gone itself
    family: set[Process] = field(default_factory=set)


class Processes:
    """Starts processes and ends them.

    :param memory: file that keeps which ones there are.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self.children: list[Child] = []  #: in the order of their start
        self._known: set[Process] = set()

    def start(
        self,
        name: str,
        words: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str],
    ) -> Child:
        """Start a program in a session of its own: what a terminal sends reaches the demo alone.

        :param name: what to call it in a sentence.
        :param log: what it says goes there; also its working directory.
        :raises Unusable: there is no such program.
        """
        try:
            with log.open("wb") as said:
                handle = subprocess.Popen(  # noqa: S603  # words, no shell
                    words,
                    cwd=log.parent,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unusable(f"Cannot start {name}: {error.strerror}.") from error
        child = Child(name, log, handle)
        self.children.append(child)
        self.remember()
        return child

    def check(self) -> None:
        """Look whether all are there.

        :raises Unusable: one has ended.
        """
        for child in self.children:
            code = child.handle.poll()
            if code is not None:
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                raise Unusable(f"{child.name} ended by itself ({how}); its log is {child.log}.")

    def wait_for(self, child: Child, condition: Callable[[], bool], *, seconds: float) -> None:
        """Return when the condition holds.

        :raises Unusable: it does not in time, or a process has ended.
        """
        end = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > end:
                raise Unusable(
                    f"{child.name} does not answer after {seconds:.0f} s; its log is {child.log}."
                )
            time.sleep(_INTERVAL)

    def remember(self) -> None:
        """Write down which processes there are now, with those that ours have started."""
        known: set[Process] = set()
        for child in self.children:
            living = {each for each in child.family if each.lives()}
            child.family = living | family([child.handle.pid])
            known |= child.family
        if known != self._known:
            self._known = known
            write(self._memory, known)

    def end(self, child: Child, seconds: float, hurry: Callable[[], bool]) -> None:
        """End a process in its own way, then by force, and with it all that it has started.

        :param seconds: that its own way may take.
        :param hurry: whether not to wait any longer.
        """
        self.remember()
        end_all([child.handle.pid], child.family, seconds, hurry)
        child.handle.wait()
        self.children.remove(child)
        self.remember()


def end_left(memory: Path) -> bool:
    """End what an earlier demo has left; False when there is nothing."""
    left = {each for each in read(memory) if each.lives()}
    if left:
        # the first of a family ends the others in good order
        inner = children_of(each.pid for each in left)
        known = left | family(each.pid for each in left)
        end_all([each.pid for each in left - inner], known, _GRACE, lambda: False)
    memory.unlink(missing_ok=True)
    return bool(left)
