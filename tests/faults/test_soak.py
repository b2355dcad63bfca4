"""The soak in short: a minute of the wall."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Seconds; a round that has begun is played to its end.
WALL = 60
#: The rounds of every run are the same; `python -m tests.faults.soak` looks for others.
SEED = 1000


@pytest.mark.timeout(WALL * 5)
def test_a_minute_of_everything():
    found = subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.soak"),
            *("--minutes", str(WALL / 60), "--seed", str(SEED)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert found.returncode == 0, (found.stdout + found.stderr)[-8000:]
    assert "all well" in found.stdout
