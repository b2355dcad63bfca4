"""The front end's own tests, so that one run of pytest tells of all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[3] / "frontend"
VITEST = FRONTEND / "node_modules" / ".bin" / "vitest"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What Vitest reports of all tests, and what it printed."""
    if shutil.which("node") is None or not VITEST.exists():
        pytest.skip("no front end: run tools/frontend dev first")
    report = tmp_path_factory.mktemp("vitest") / "report.json"
    command = [str(VITEST), "run", "--reporter=dot", "--reporter=json", f"--outputFile={report}"]
    variables = {**os.environ, "NO_COLOR": "1", "CI": "true"}
    done = subprocess.run(
        command, cwd=FRONTEND, env=variables, capture_output=True, text=True, check=False
    )
    assert report.exists(), done.stdout[-5000:] + done.stderr[-5000:]
    return json.loads(report.read_text(encoding="utf-8")), done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_all_of_vitest_passes(told, record_property):
    report, printed = told
    record_property("vitest", report["numPassedTests"])
    failed = [
        f"{Path(suite['name']).relative_to(FRONTEND)}: {test['fullName']}\n"
        + "\n".join(test["failureMessages"])
        for suite in report["testResults"]
        for test in suite["assertionResults"]
        if test["status"] == "failed"
    ]
    assert report["success"], "\n".join(failed) or printed[-5000:]
    assert report["numPassedTests"] > 0
    # a test that is left out by mistake, or for now, is one that nobody misses
    assert report["numPendingTests"] == report["numTodoTests"] == 0


@pytest.mark.timeout(300)
def test_every_folder_has_tests(told):
    report, _ = told
    paths = [Path(suite["name"]).relative_to(FRONTEND / "src") for suite in report["testResults"]]
    assert {path.parts[0] for path in paths} >= {"core", "service", "ui", "form", "pages"}
