"""Where everything of one demo is, and what it has to remember from one start to the next."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

#: Where folders for sockets are made, the first that may be written to.
RUN_PARENTS = ("/run", "/tmp")  # noqa: S108 - mkdtemp's names are nobody else's
CLONE = Path(__file__).resolve().parents[2]


class Unusable(Exception):
    """The demo cannot go on; the message is one sentence that says what to do."""


def say(text: str) -> None:
    """Print a line for who has started the demo, at once."""
    sys.stdout.write(f"demo: {text}\n")
    sys.stdout.flush()


def default_folder() -> Path:
    """``$DEMO_DIR``, or ``.demo`` in the clone."""
    return Path(os.environ.get("DEMO_DIR") or CLONE / ".demo").expanduser().absolute()


class State:
    """The folder of one demo.

    :param folder: made, with mode 0700, by the first thing that is kept in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def hub(self) -> Path:
        """The hub's working directory: its database, secrets and password."""
        return self._made("hub")

    @property
    def engine(self) -> Path:
        """What an engine of the demo's own keeps; made by that engine, as root."""
        return self.folder / "engine"

    @property
    def repository(self) -> Path:
        """The example's work tree, and nothing else."""
        return self._made("repository")

    @property
    def packages(self) -> Path:
        """Names of the Debian packages that the demo has installed, one per line."""
        return self.folder / "packages.txt"

    @property
    def run(self) -> Path:
        """A folder for sockets and pid files, of this user alone, with a short path.

        A socket's path may be 107 bytes long, and the demo's folder may be anywhere.  The folder
        is gone after a reboot, and another one takes its place.
        """
        known = self.recall("run")
        if known is None or not _own(Path(known)):
            parent = next(each for each in RUN_PARENTS if os.access(each, os.W_OK))
            known = tempfile.mkdtemp(prefix="imagebuilder-demo-", dir=parent)
            self.remember(run=known)
        return Path(known)

    def recall(self, name: str) -> Any:
        """What :meth:`remember` was given under that name; None where it was given nothing."""
        return self._record().get(name)

    def remember(self, **values: Any) -> None:
        """Keep values (JSON); None forgets one."""
        record = {**self._record(), **values}
        kept = {name: value for name, value in record.items() if value is not None}
        self._make(self.folder)
        path = self.folder / "record.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(kept, indent=1) + "\n")
        fresh.replace(path)

    def _record(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / "record.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _made(self, name: str) -> Path:
        self._make(self.folder)
        return self._make(self.folder / name)

    @staticmethod
    def _make(folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _own(folder: Path) -> bool:
    """Whether it is a folder that nobody else may write to: /tmp is everybody's."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not stat.S_IMODE(found.st_mode) & 0o022
    )
