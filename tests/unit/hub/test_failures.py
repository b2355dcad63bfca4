from __future__ import annotations

import asyncio
import logging

import pytest
from tornado.web import HTTPError

from jupyterhub_imagebuilder.errors import BuildFailed, Reason, ServiceUnavailable, SpecForbidden
from jupyterhub_imagebuilder.hub import failures
from jupyterhub_imagebuilder.hub.failures import leave_out_of_failure_count, spawn_failure


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (
            BuildFailed("pip found 50% of it."),
            400,
            "pip found 50% of it. (build-failed)",
        ),
        (SpecForbidden("Not this one."), 403, "Not this one. (spec-forbidden)"),
        (BuildFailed("Later.", Reason.STILL_BUILDING), 429, "Later. (still-building)"),
        (ServiceUnavailable("No answer."), 400, "No answer. (service-unavailable)"),
    ],
)
def test_the_sentence_reaches_the_user_and_is_no_fault_of_the_hub(error, status, sentence):
    failure = spawn_failure(error)
    assert isinstance(failure, HTTPError)
    assert failure.status_code == status
    assert failure.jupyterhub_message == sentence
    assert sentence in str(failure)


def test_a_failure_links_to_the_builds_page():
    failure = spawn_failure(BuildFailed("<b> failed."), '/s/builds/"1"')
    assert failure.jupyterhub_message == "<b> failed. (build-failed)"
    assert failure.jupyterhub_html_message == (
        '&lt;b&gt; failed. (build-failed) <a href="/s/builds/&quot;1&quot;" target="_blank" '
        'rel="noopener">The build and its log</a>'
    )
    assert not hasattr(spawn_failure(BuildFailed("No.")), "jupyterhub_html_message")


class Settings:
    """A user, or a handler; tornado gives each application a copy of the hub's settings."""

    def __init__(self, settings):
        self.settings = settings


class Spawner:
    """One start, with JupyterHub's bookkeeping from before version 6."""

    def __init__(self, settings, limit=5):
        self.user = Settings({})
        self._settings = settings
        self.handler = Settings(settings)
        self.log = logging.getLogger("test")
        self.consecutive_failure_limit = limit
        self._spawn_future = asyncio.get_running_loop().create_future()
        self._spawn_future.add_done_callback(self._track_failure_count)
        self.aborted = False

    def _track_failure_count(self, future):
        settings = self._settings
        if future.cancelled() or future.exception() is None:
            settings["failure_count"] = 0
            return
        settings["failure_count"] = settings.get("failure_count", 0) + 1
        limit = self.consecutive_failure_limit
        self.aborted = bool(limit) and settings["failure_count"] >= limit

    async def fail(self, failure):
        self.handler = None  # as JupyterHub does at a start's end
        self._spawn_future.set_exception(failure)
        await asyncio.sleep(0)


@pytest.fixture
def before_6(monkeypatch):
    monkeypatch.setattr(failures, "SpawnException", None)


@pytest.mark.usefixtures("before_6")
async def test_failed_builds_do_not_count_and_others_do():
    settings = {"failure_count": 0}
    for _ in range(6):
        spawner = Spawner(settings)
        leave_out_of_failure_count(spawner)
        await spawner.fail(spawn_failure(BuildFailed("no")))
        assert (spawner.aborted, spawner.consecutive_failure_limit) == (False, 5)
    assert settings["failure_count"] == 0
    for count in range(1, 6):
        spawner = Spawner(settings)
        await spawner.fail(ValueError("a real one"))
        assert settings["failure_count"] == count
    assert spawner.aborted


@pytest.mark.usefixtures("before_6")
async def test_a_failed_build_between_two_faults_does_not_reset_the_count():
    settings = {"failure_count": 3}
    spawner = Spawner(settings)
    leave_out_of_failure_count(spawner)
    await spawner.fail(spawn_failure(BuildFailed("no")))
    assert settings["failure_count"] == 3


@pytest.mark.usefixtures("before_6")
async def test_another_failure_than_the_announced_one_counts():
    settings = {"failure_count": 1}
    spawner = Spawner(settings)
    leave_out_of_failure_count(spawner)
    await spawner.fail(ValueError("a real one"))
    assert settings["failure_count"] == 2
    assert spawner.consecutive_failure_limit == 5


async def test_a_hub_that_counts_nothing_is_left_alone(before_6):
    spawner = Spawner({}, limit=0)
    leave_out_of_failure_count(spawner)
    await spawner.fail(spawn_failure(BuildFailed("no")))
    assert spawner._settings["failure_count"] == 1
