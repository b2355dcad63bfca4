"""What every test gets: its limits, its honesty about what is missing, and no task left behind.

Tests marked ``cluster``, ``docker``, ``browser`` or ``postgresql`` are skipped, with the reason,
where the thing is absent.  ``IMAGEBUILDER_TEST_REQUIRE`` (a comma list of the four) turns a missing
one into a failure; while it is set, any skipped test, for whatever reason, fails the run.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import inspect
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
REQUIRE = "IMAGEBUILDER_TEST_REQUIRE"
#: Seconds after which a unit test hangs, its fixtures included; a ``timeout`` mark overrides it.
#: A guard, no measure: on a loaded machine the first example of a property takes seconds.
UNIT_TEST_LIMIT = 20
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CLUSTER_VARIABLES = ("KUBECONFIG", "IB_REGISTRY", "IB_OPEN_REGISTRY", "IB_NODE_ADDRESS")

skipped_key = pytest.StashKey[list[str]]()


# -- What a test may need ------------------------------------------------------------------------


def cluster_missing() -> str | None:
    """Why there is no cluster to test on; None when there is one."""
    unset = [name for name in CLUSTER_VARIABLES if not os.environ.get(name)]
    if unset:
        return f"no cluster: {', '.join(unset)} not set (see CONTRIBUTING.md)"
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return "no cluster: kubectl is not on PATH"
    try:
        answer = subprocess.run(
            [kubectl, "get", "--raw", "/readyz", "--request-timeout=10s"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no cluster: the API server does not answer"
    return None if answer.returncode == 0 else f"no cluster: {answer.stderr.strip()[-200:]}"


def docker_missing() -> str | None:
    """Why there is no container engine; None when one answers at DOCKER_HOST."""
    host = os.environ.get("DOCKER_HOST", "")
    scheme, _, address = host.partition("://")
    if not address:
        return "no container engine: DOCKER_HOST is not set"
    try:
        if scheme == "unix":
            with socket.socket(socket.AF_UNIX) as engine:
                engine.settimeout(5)
                engine.connect(address)
        else:
            name, _, port = address.rpartition(":")
            socket.create_connection((name, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        return f"no container engine at {host}: {error}"
    return None


def browser_missing() -> str | None:
    """Why there is no Chromium to drive; None when there is one."""
    if importlib.util.find_spec("playwright") is None:
        return "no browser: the Python package playwright is not installed"
    return None if find_chromium() else "no browser: Chromium is not installed"


def postgresql_missing() -> str | None:
    """Why there is no PostgreSQL to start; None when there is one."""
    from tests.contract.store import postgres

    return postgres.missing()


def find_chromium() -> str | None:
    """Chromium of the system, else the one that Playwright has fetched for itself."""
    fetched = Path("~/.cache/ms-playwright").expanduser().glob("chromium-*/chrome-linux*/chrome")
    found = [*filter(None, map(shutil.which, CHROMIUM_NAMES)), *map(str, fetched)]
    return found[0] if found else None


MISSING = {
    "cluster": functools.cache(cluster_missing),
    "docker": functools.cache(docker_missing),
    "browser": functools.cache(browser_missing),
    "postgresql": functools.cache(postgresql_missing),
}


def required() -> frozenset[str]:
    """What this run must not do without."""
    return frozenset(filter(None, map(str.strip, os.environ.get(REQUIRE, "").split(","))))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium that Playwright shall start (``executable_path``)."""
    path = find_chromium()
    assert path, "mark the test with 'browser'"
    return path


# -- Skips, loud ones ----------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager):
    if not pluginmanager.hasplugin("timeout"):
        # Without pytest-timeout a test still runs, only without its limit.
        parser.addini("timeout", "seconds per test; not enforced, pytest-timeout is missing")


def pytest_configure(config: pytest.Config):
    # a shell makes what it runs in the background deaf to Ctrl-C, and nohup to the terminal's end.
    # Children inherit that: what the tests stop so would wait in vain for its own ones.  They do
    # not inherit a handler, so that the suite itself may stay deaf.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    config.stash[skipped_key] = []
    config.pluginmanager.register(SkipWatch(config.stash[skipped_key]))
    unknown = required() - MISSING.keys()
    if unknown:
        raise pytest.UsageError(
            f"{REQUIRE} knows {', '.join(sorted(MISSING))}, not {', '.join(sorted(unknown))}"
        )
    if not config.pluginmanager.hasplugin("timeout"):
        config.addinivalue_line("markers", "timeout: not enforced, pytest-timeout is missing")


def pytest_collection_modifyitems(items: list[pytest.Item]):
    for item in items:
        if item.path.is_relative_to(TESTS / "unit") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(UNIT_TEST_LIMIT))


def need(name: str):
    """Skip the test where the thing is absent; where the run must not do without, fail it.

    The reason is a sentence of :data:`MISSING`'s.
    """
    reason = MISSING[name]()
    if reason and name in required():
        pytest.fail(f"required, but {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item):
    for name in MISSING:
        if item.get_closest_marker(name) is not None:
            need(name)


class SkipWatch:
    """Notes skips where reports arrive: with several workers that is not where tests run."""

    def __init__(self, skipped: list[str]):
        self._skipped = skipped

    def pytest_collectreport(self, report: pytest.CollectReport):
        if report.skipped:  # a whole module that skips itself
            self._skipped.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport):
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session):
    if (
        required()
        and session.config.stash[skipped_key]
        and session.exitstatus == pytest.ExitCode.OK
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config):
    skipped = config.stash[skipped_key]
    if required() and skipped:
        terminalreporter.section(f"{REQUIRE} is set, so these skips fail the run", red=True)
        for nodeid in skipped:
            terminalreporter.line(nodeid)


# -- Tasks have owners ---------------------------------------------------------------------------


@pytest.fixture
async def _tasks_have_ended():
    before = asyncio.all_tasks()
    yield
    for _ in range(3):  # what was cancelled needs a turn or two to end
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    if left:
        pytest.fail("tasks left behind: " + ", ".join(map(repr, left)), pytrace=False)


@pytest.fixture(autouse=True)
def no_stray_tasks(request: pytest.FixtureRequest):
    """Fail an async test of ours that leaves a task; a whole hub in the loop has its own."""
    ours = any(request.path.is_relative_to(TESTS / part) for part in ("unit", "contract"))
    if ours and inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("_tasks_have_ended")
