"""The project as somebody gets it who clones it: its files, in one commit, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[3]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")


def clone_into(folder: Path) -> Path:
    """Copy what git has or would take, uncommitted changes with it, into ``folder``."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = PROJECT / name, folder / name
        if source.is_file():  # one that was deleted is listed until that is committed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "a clone")):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return folder
