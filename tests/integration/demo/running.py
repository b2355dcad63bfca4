"""``make demo`` as its user has it: started, read, interrupted, and told to clean up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.demo.machine import Machine, Process
from tests.integration.demo.sources import PROJECT

READY = re.compile(r"^demo: ready: (?P<url>http://127\.0\.0\.1:\d+)$", re.MULTILINE)
LOGIN = re.compile(r"^demo: log in as: demo +password: (?P<password>\S+)$", re.MULTILINE)
#: Seconds for a first start: packages, environment, images; on a machine with other work.
FIRST = 600.0
#: Seconds for all to end, user servers first; a few on a machine that has nothing else to do.
END = 30.0
#: Seconds that something which takes long gets to be in the middle of it.
HALFWAY = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that has said that it is ready."""

    process: Process
    url: str
    password: str
    seconds: float  #: until then


class Demo:
    """The demo of one clone on one machine.

    :param variables: what the user has set, as ``DEMO_PORT``.
    """

    def __init__(self, machine: Machine, **variables: str) -> None:
        self.machine = machine
        self._variables = variables
        self.running: Running | None = None
        self.stages: list[str] = []  #: of the story, that it has been through

    def make(self, target: str, **variables: str) -> Process:
        """Start ``make <target>``."""
        return self.machine.start("make", target, **{**self._variables, **variables})

    def start_halfway(self, line: str, seconds: float = FIRST) -> None:
        """``make demo``, and Ctrl-C as soon as it has printed something."""
        process = self.make("demo")
        end = time.monotonic() + seconds
        while line not in process.output():
            assert process.code() is None, process.output()
            assert time.monotonic() < end, process.output()
            time.sleep(0.2)
        time.sleep(HALFWAY)
        os.killpg(os.getpgid(process.pid), signal.SIGINT)
        wait_for_end(process, END)
        assert "Traceback" not in process.output(), process.output()

    def start(self, seconds: float = FIRST) -> Running:
        """``make demo``, until it says that it is ready."""
        began = time.monotonic()
        process = self.make("demo")
        end = began + seconds
        while process.code() is None and not _is_ready(process.output()):
            assert time.monotonic() < end, f"not ready within {seconds} s:\n{process.output()}"
            time.sleep(0.2)
        text = process.output()
        assert _is_ready(text), f"it ended with exit code {process.code()}:\n{text}"
        self.running = Running(
            process,
            READY.search(text)["url"],
            LOGIN.search(text)["password"],
            time.monotonic() - began,
        )
        return self.running

    def story(self, *stages: str) -> str:
        """Go through stages of the story in a browser; what it said about them."""
        assert self.running, "start the demo first"
        words = ["--url", self.running.url, "--password", self.running.password, *stages]
        told = subprocess.run(
            [*self.machine.inside, sys.executable, "-m", "tests.integration.demo.story", *words],
            cwd=PROJECT,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert told.returncode == 0, (
            f"{told.stdout}\n{told.stderr}\n{self.running.process.output()}"
        )
        self.stages += stages
        return told.stdout

    def interrupt(self) -> tuple[float, str]:
        """Ctrl-C; seconds to the end, and the words."""
        return self.end(lambda pid: os.killpg(os.getpgid(pid), signal.SIGINT))

    def end(self, how: Callable[[int], None]) -> tuple[float, str]:
        """End it, by the id of ``make``; seconds to the end, and the words."""
        assert self.running, "start the demo first"
        process, self.running = self.running.process, None
        before, began = len(process.output()), time.monotonic()
        how(process.pid)
        wait_for_end(process, END)
        return time.monotonic() - began, process.output()[before:]

    def clean(self) -> str:
        """``make demo-clean``; what it says."""
        process = self.make("demo-clean")
        assert wait_for_end(process, 120) == 0, process.output()
        return process.output()


def tell(*texts: str) -> None:
    """Show what a person would have read; it stands beside a test's failure."""
    sys.stdout.write("\n".join((*texts, "")))


def wait_for_end(process: Process, seconds: float) -> int:
    """Its exit code."""
    end = time.monotonic() + seconds
    while (code := process.code()) is None:
        assert time.monotonic() < end, f"it has not ended within {seconds} s:\n{process.output()}"
        time.sleep(0.1)
    return code


def _is_ready(text: str) -> bool:
    return bool(READY.search(text) and LOGIN.search(text))
