"""``python -m tools.demo``: start everything, say where it is, and stop it all at Ctrl-C.

Environment: ``DEMO_PORT`` (8000), ``DEMO_DIR``, ``DOCKER_HOST``.
Exit code: 0 when it was stopped, 1 when it could not start or a part of it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path
from typing import IO

from tools.demo import engine, hub, images, repository
from tools.demo.api import EngineError
from tools.demo.containers import Containers
from tools.demo.processes import Child, Processes, end_left
from tools.demo.signals import Signals, Stopped, nobody_listens
from tools.demo.state import State, Unusable, default_folder, say

_INTERVAL = 0.5  # seconds between two looks at the processes
_ENGINE_INTERVAL = 5.0
_ENGINE_PATIENCE = 3  # questions without an answer; an engine may be restarting
#: Seconds that the hub has to stop the servers of its users.
_HUB_PATIENCE = 20.0
_GIT_PATIENCE = 3.0
_AGAIN = "`make demo` starts it again, with all homes and images"
_OUTPUT = 1  # where the terminal is


class Demo:
    """One run, and what it has to undo.

    :param state: where everything of it is.
    :param signals: may cut the end short.
    """

    def __init__(self, state: State, signals: Signals) -> None:
        self._state = state
        self._signals = signals
        self._processes = Processes(state.run / "processes.json")
        self._engine: engine.Engine | None = None
        self._containers: Containers | None = None

    def start(self, port: str) -> None:
        """Bring everything up.

        :param port: for the browser.
        :raises Unusable: a part of it cannot be had.
        """
        if end_left(self._state.run / "processes.json"):
            say("ended what a demo has left that was killed")
        place_port = hub.choose_port(port)
        self._engine = engine.find(self._state)
        self._containers = Containers(self._engine.host)
        self._containers.remove()
        prepared = images.prepare(self._engine, self._state)
        repository.make(self._state.repository, prepared.base)
        url = repository.serve(self._state, self._engine.gateway, self._processes)
        password = hub.password(self._state)
        say(f"starting JupyterHub; its log is {self._state.hub / 'hub.log'}")
        place = hub.Place(place_port, self._engine, prepared, url)
        hub.start(self._state, place, self._processes)
        say(f"ready: http://{hub.ADDRESS}:{place_port}")
        say(f"log in as: {hub.USER}   password: {password}")
        say("Ctrl-C stops everything; `make demo-clean` removes it")

    def watch(self) -> None:
        """Look after all parts, until nobody is there to stop it.

        :raises Unusable: one has ended.
        """
        silent, next_question = 0, 0.0
        while not nobody_listens(_OUTPUT):
            self._processes.check()
            if time.monotonic() >= next_question:
                next_question = time.monotonic() + _ENGINE_INTERVAL
                self._processes.remember()
                silent = 0 if self._containers_answer() else silent + 1
                if silent >= _ENGINE_PATIENCE:
                    raise Unusable("The container engine does not answer any more.")
            time.sleep(_INTERVAL)

    def stop(self) -> None:
        """End all that was started; what fails does not keep the rest from ending."""
        for step in (self._stop_processes, self._remove_containers, self._stop_engine):
            try:
                step()
            except Exception as error:  # noqa: BLE001  # told, and the next one's turn
                _tell(f"not all could be stopped: {error}")

    @property
    def began(self) -> bool:
        """Whether there was anything to stop."""
        return self._engine is not None

    def _containers_answer(self) -> bool:
        return self._containers is not None and self._containers.engine_answers()

    def _stop_processes(self) -> None:
        for child in list(reversed(self._processes.children)):
            self._processes.end(child, _patience(child), self._signals.hurry)

    def _remove_containers(self) -> None:
        if self._containers is not None and self._containers.engine_answers():
            self._containers.remove()

    def _stop_engine(self) -> None:
        if self._engine is not None:
            self._engine.stop()


def main() -> int:
    """Run the demo until somebody stops it."""
    signals = Signals()
    state = State(default_folder())
    with contextlib.ExitStack() as stack:
        code, demo = 0, None
        try:
            stack.enter_context(_only_one(state))
            demo = Demo(state, signals)
            demo.start(os.environ.get("DEMO_PORT") or "8000")
            demo.watch()
        except Stopped:
            _tell("stopping")
        except (Unusable, EngineError) as error:
            code = 1
            signals.calm()
            _tell(str(error))
        finally:
            signals.calm()
            if demo is not None:
                demo.stop()
                if demo.began:
                    _tell("stopped" if code else f"stopped; {_AGAIN}")
    return code


def _only_one(state: State) -> IO[str]:
    """A lock that ends with this process, whatever ends it.

    :raises Unusable: another demo has it.
    """
    lock = (state.hub / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise Unusable(
            f"A demo runs already in {state.folder}: use that one, or stop it first."
        ) from error
    return lock


def _patience(child: Child) -> float:
    return _HUB_PATIENCE if child.name == "JupyterHub" else _GIT_PATIENCE


def _tell(text: str) -> None:
    """Say it, if anybody listens: the terminal may be gone."""
    try:
        say(text)
    except OSError:
        # what is still in the buffer would fail once more at the end
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
