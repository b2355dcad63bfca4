"""The build's log on JupyterHub's own progress page.

JupyterHub appends one element per event and never removes one, and puts ``html_message`` into the
page as it is: so at most one event per interval, capped, and escaped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from html import escape
from typing import Any, Final

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.hub.failures import page_link
from jupyterhub_imagebuilder.hub.streams import LINE_LENGTH, BuildStream, Line
from jupyterhub_imagebuilder.hub.waiting import WaitView

_LINES_PER_EVENT: Final = 100
#: JupyterHub centres the newest event; a log is read from the left.
_PRE: Final = '<pre style="text-align: left; white-space: pre-wrap; margin: 0">'
#: KubeSpawner's own events begin at 30.
_PERCENT: Final = {Phase.WAITING: 2, Phase.FETCHING: 5, Phase.BUILDING: 10, Phase.PUSHING: 20}
_PERCENT_AFTER: Final = 25


#: Gives the address of a build's page; None where it has none.
Pages = Callable[[str], str | None]


async def build_progress(
    view: WaitView, interval: float, pages: Pages = lambda _: None
) -> AsyncGenerator[dict[str, Any], None]:
    """Events for JupyterHub until the wait is over.

    :param interval: seconds between two events.
    :param pages: gives the address of a build's page.
    """
    reader = _Reader(view, pages)
    while True:
        # what came before the end is shown, too: so the end is looked at first
        closed = view.closed.is_set()
        if event := reader.event():
            yield event
        if closed:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(view.closed.wait(), interval)


class _Reader:
    """One page's place in the log."""

    def __init__(self, view: WaitView, pages: Pages) -> None:
        self._view = view
        self._pages = pages
        self._linked: str | None = None
        self._stream: BuildStream | None = None
        self._position = 0
        self._seen: dict[str, int] = {}
        self._note: str | None = None

    def event(self) -> dict[str, Any] | None:
        """All that is new, in one event; None when nothing is."""
        texts: list[str] = []
        stream = self._view.stream
        if stream is not None:
            texts += self._new(stream)
        if self._view.note != self._note:
            self._note = self._view.note
            texts += [self._note] if self._note else []
        if not texts:
            return None
        text = "\n".join(line[:LINE_LENGTH] for line in texts)
        phase = stream.phase if stream is not None else Phase.WAITING
        return {
            "progress": _PERCENT.get(phase, _PERCENT_AFTER),
            "message": text,
            "html_message": f"{self._link()}{_PRE}{escape(text)}</pre>",
        }

    def _link(self) -> str:
        """A link to the build's page, in the first event about it."""
        build_id = self._view.build_id
        if build_id is None or build_id == self._linked:
            return ""
        self._linked = build_id
        page = self._pages(build_id)
        return f"<p>{page_link(page)}</p>" if page else ""

    def _new(self, stream: BuildStream) -> list[str]:
        if stream is not self._stream:  # another build's, or this pod's under another id
            self._stream, self._position = stream, 0
        lines, lost, self._position = stream.since(self._position)
        texts = [line.text for line in lines if self._is_new(line)]
        lost += max(0, len(texts) - _LINES_PER_EVENT)
        if lost and texts:
            return [f"… {lost} lines are left out here", *texts[-_LINES_PER_EVENT:]]
        return texts

    def _is_new(self, line: Line) -> bool:
        if not line.source:
            return True
        if line.index <= self._seen.get(line.source, -1):
            return False
        self._seen[line.source] = line.index
        return True
