"""The pages that the form's script is tested on are what KubeSpawner renders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RENDER = Path(__file__).parents[3] / "frontend" / "src" / "form" / "fixtures" / "render.py"


def test_the_forms_are_what_kubespawner_renders():
    done = subprocess.run(
        [sys.executable, RENDER, "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"run {RENDER}: {done.stderr}"
