"""A start that ends with a sentence, on every JupyterHub that is supported.

JupyterHub 6 has an exception for it; before, every failed start counts towards
``consecutive_failure_limit``, at which the hub exits.  A build that fails says nothing about the
hub's health, so it is taken out of that count.
"""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

from tornado.web import HTTPError

from jupyterhub_imagebuilder.errors import ImageBuilderError, Reason

try:
    from jupyterhub.spawner import SpawnException
except ImportError:  # before JupyterHub 6
    SpawnException = None

_STATUS = {
    Reason.SPEC_FORBIDDEN: 403,
    Reason.ACCESS_DENIED: 403,
    Reason.QUOTA: 429,
    Reason.STILL_BUILDING: 429,
}
_MARK = "imagebuilder_reason"


def spawn_failure(error: ImageBuilderError, page: str | None = None) -> HTTPError:
    """The exception to raise in a start, with the sentence where JupyterHub shows it.

    Always a 4xx: a 5xx would count as a fault of the hub.

    :param page: address of the build's page, which says more.
    """
    message = sentence(error)
    status = _STATUS.get(error.reason, 400)
    failure: HTTPError
    if SpawnException is None:
        failure = HTTPError(status, message)
    else:
        failure = SpawnException(message, reason=error.reason.value, status_code=status)
    failure.jupyterhub_message = message
    if page:
        failure.jupyterhub_html_message = f"{escape(message)} {page_link(page)}"
    setattr(failure, _MARK, error.reason.value)
    return failure


def page_link(page: str) -> str:
    """A link to a build's page, as HTML; beside a start, which must not lose its own page."""
    return f'<a href="{escape(page)}" target="_blank" rel="noopener">The build and its log</a>'


def sentence(error: ImageBuilderError) -> str:
    """The user's sentence with its stable reason."""
    return f"{error.message.strip()} ({error.reason.value})"


def leave_out_of_failure_count(spawner: Any) -> None:
    """Take the failure that is about to be raised out of JupyterHub's count.

    To be called while the start is pending, just before :func:`spawn_failure` is raised.  On
    JupyterHub 6 there is nothing to do.
    """
    future: asyncio.Future[Any] | None = getattr(spawner, "_spawn_future", None)
    if SpawnException is not None or future is None or future.done():
        return
    limit = spawner.consecutive_failure_limit
    if not limit:
        return
    # the count is in the settings that handlers see, which are a copy of those that users see
    handler = getattr(spawner, "handler", None)
    settings = spawner.user.settings if handler is None else handler.settings
    # JupyterHub's callback, which was added before ours and so runs first, must not see a limit
    spawner.consecutive_failure_limit = 0

    def restore(done: asyncio.Future[Any]) -> None:
        spawner.consecutive_failure_limit = limit
        failure = None if done.cancelled() else done.exception()
        if getattr(failure, _MARK, None):
            settings["failure_count"] = max(0, settings.get("failure_count", 0) - 1)
            spawner.log.info("A failed build is not counted as a fault of the hub: %s", failure)

    future.add_done_callback(restore)
