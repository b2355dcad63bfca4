"""The suite's own rules, shown on small suites that break them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytest_timeout")

TESTS = Path(__file__).parent
REQUIRE = "IMAGEBUILDER_TEST_REQUIRE"

pytestmark = pytest.mark.timeout(60)  # each starts a pytest of its own


@pytest.fixture
def run(tmp_path):
    """Run a suite of one file under our conftest, without any engine: (exit code, output)."""
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    shutil.copy(TESTS / "conftest.py", tmp_path / "tests")

    def run(source, *, before=None, **environment):
        (folder / "test_it.py").write_text(source)
        clean = {k: v for k, v in os.environ.items() if k not in {REQUIRE, "DOCKER_HOST"}}
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "asyncio", "-p", "timeout"],
            cwd=tmp_path,
            # only the plugins at stake: a hub's take seconds to load
            env=clean | environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=before,
        )
        return result.returncode, result.stdout + result.stderr

    return run


MARKED = "import pytest\n\n@pytest.mark.docker\ndef test_it(): pass\n"
SKIPPED = "import pytest\n\ndef test_it(): pytest.skip('not today')\n"
MODULE_SKIPPED = "import pytest\n\npytest.skip('not today', allow_module_level=True)\n"
STRAY = "import asyncio\n\nasync def test_it(): asyncio.create_task(asyncio.sleep(9))\n"
TIDY = "import asyncio\n\nasync def test_it(): asyncio.create_task(asyncio.sleep(9)).cancel()\n"
SLOW = "import time\n\ndef test_it(): time.sleep(9)\n"


KILLED = (
    "import signal, subprocess, sys\n\n"
    "def test_it():\n"
    "    for number in (signal.SIGINT, signal.SIGHUP):\n"
    "        words = ['-c', f'import os; os.kill(os.getpid(), {number})']\n"
    "        assert subprocess.run([sys.executable, *words]).returncode == -number\n"
)


def test_what_is_absent_skips_with_the_reason(run):
    code, output = run(MARKED)
    assert code == pytest.ExitCode.OK
    assert "no container engine: DOCKER_HOST is not set" in output


def test_what_is_required_and_absent_fails(run):
    code, output = run(MARKED, **{REQUIRE: "docker"})
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "required, but no container engine" in output


@pytest.mark.parametrize("source", [SKIPPED, MODULE_SKIPPED, MARKED])
def test_any_skip_fails_a_run_with_requirements(run, source):
    passing = "\ndef test_other(): pass\n"
    code, output = run(source + passing, **{REQUIRE: "cluster"})
    assert code != pytest.ExitCode.OK
    assert "tests/unit/test_it.py" in output.partition("these skips fail the run")[2]


def test_an_unknown_requirement_is_refused(run):
    code, output = run(SKIPPED, **{REQUIRE: "dokcer"})
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "not dokcer" in output


def test_a_task_left_behind_fails(run):
    code, output = run(STRAY)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "tasks left behind" in output


def test_a_task_that_was_ended_does_not(run):
    assert run(TIDY)[0] == pytest.ExitCode.OK


def test_a_slow_unit_test_fails(run, tmp_path):
    rules = tmp_path / "tests" / "conftest.py"
    shorter, changed = re.subn(
        r"(?m)^UNIT_TEST_LIMIT = \d+$", "UNIT_TEST_LIMIT = 1", rules.read_text()
    )
    assert changed == 1
    rules.write_text(shorter)
    code, output = run(SLOW)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "Timeout" in output


def test_children_hear_what_the_suite_itself_is_deaf_to(run):
    def as_shell_and_nohup_do():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    code, output = run(KILLED, before=as_shell_and_nohup_do)
    assert code == pytest.ExitCode.OK, output
