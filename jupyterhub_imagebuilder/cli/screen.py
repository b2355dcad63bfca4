"""What the command prints: the log on one stream, stages and failures on another."""

from __future__ import annotations

import re
import secrets
from typing import Final, TextIO

#: Colours stay; all else that moves a cursor or names a window goes: a build prints what it likes.
_CONTROL: Final = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CLEAR: Final = "\r\x1b[2K"


class Screen:
    """Prints for one call of the command.

    :param out: takes the log.
    :param err: takes stages and failures; where it is a terminal, stages stay in one line.
    :param quiet: neither log nor stages.
    :param several: lines say which repository they belong to.
    :param fenced: whether GitHub's runner reads along and would obey lines of a log.
    """

    def __init__(
        self, out: TextIO, err: TextIO, *, quiet: bool, several: bool, fenced: bool = False
    ) -> None:
        self._out, self._err = out, err
        self._quiet, self._several = quiet, several
        self._in_place = err.isatty() and not quiet
        self._status = ""
        self._fence = secrets.token_hex(16) if fenced and not quiet else ""
        if self._fence:
            self._out.write(f"::stop-commands::{self._fence}\n")

    def log(self, name: str, text: str) -> None:
        """Show a line of a build's log."""
        if self._quiet:
            return
        self._clear()
        prefix = f"[{plain(name)}] " if self._several else ""
        for line in text.splitlines() or [""]:
            self._out.write(f"{prefix}{plain(line)}\n")
        self._out.flush()
        if self._status:
            self._err.write(self._status)
            self._err.flush()

    def stage(self, name: str, text: str) -> None:
        """Show what a build does now."""
        if self._quiet:
            return
        line = f"{plain(name)}: {plain(text)}"
        if not self._in_place:
            self.say(line)
            return
        self._clear()
        self._status = line[:200]
        self._err.write(self._status)
        self._err.flush()

    def say(self, line: str) -> None:
        """Print a line that stays, quiet or not."""
        self._clear()
        self._status = ""
        self._err.write(f"{plain(line)}\n")
        self._err.flush()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._clear()
        self._status = ""
        if self._fence:
            self._out.write(f"::{self._fence}::\n")
            self._fence = ""
        self._out.flush()
        self._err.flush()

    def _clear(self) -> None:
        if self._status:
            self._err.write(_CLEAR)
            self._err.flush()


def plain(text: str) -> str:
    """Without what would do something to a terminal."""
    return _CONTROL.sub(lambda found: found[1] or "", text)
