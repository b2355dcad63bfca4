"""Watches a pod while it starts, in what KubeSpawner knows about it already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from jupyterhub_imagebuilder.hub.pod import cannot_run, pull_fails

_INTERVAL: Final = 1.0


async def watch_pod(
    pod: Callable[[], Mapping[str, Any] | None],
    image: Callable[[], str | None],
    pull_grace: float,
) -> NoReturn:
    """Look at the pod until it is clear that it will never run; costs no request.

    :param pod: gives the pod, None while there is none.
    :param image: gives the image that was built for it, None where it has another one.
    :param pull_grace: seconds for which the node may fail to pull.
    :raises ImageBuilderError: the pod will never run.
    """
    failing_since: float | None = None
    now = asyncio.get_running_loop().time
    while True:
        name, found = image(), pod()
        if name is not None and found is not None:
            if error := cannot_run(found, name):
                raise error
            failure = pull_fails(found, name)
            failing_since = None if failure is None else failing_since or now()
            if failure and failing_since is not None and now() - failing_since >= pull_grace:
                raise failure
        await asyncio.sleep(_INTERVAL)
