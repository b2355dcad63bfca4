"""Whose hub token it is, asked of JupyterHub.

Only this module imports :mod:`jupyterhub.services.auth`, and in a thread: the import takes half a
second, which neither the service's start nor its streams have.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.errors import AccessDenied, ServiceUnavailable

#: Seconds for which the hub's answer about a token holds: how long a revoked token still works.
_CACHE_AGE = 60
#: Seconds that the hub has to answer.
_TIMEOUT = 15.0


class Hub:
    """The hub that ``JUPYTERHUB_API_URL`` and the other ``JUPYTERHUB_*`` variables describe.

    :param service_name: names the scope that a token needs, where the environment does not.
    :param prefix: the service's path, below which its cookies are.
    """

    def __init__(self, service_name: str, prefix: str = "/") -> None:
        self._service_name = service_name
        self._prefix = prefix
        self._auth: Any = None
        self._importing = asyncio.Lock()

    async def prepare(self) -> None:
        """Import JupyterHub's client, once."""
        async with self._importing:
            if self._auth is None:
                self._auth = await asyncio.to_thread(_hub_auth, self._service_name, self._prefix)

    async def client(self) -> Any:
        """JupyterHub's ``HubOAuth``; a plain ``HubAuth`` where the service is no client of it."""
        await self.prepare()
        return self._auth

    async def owner(self, token: str, session_id: str = "") -> Owner | None:
        """Whose token it is, None when the hub does not know it.

        :param session_id: the browser's login to the hub; with another one the hub is asked again.
        :raises AccessDenied: it lacks the scope for this service.
        :raises ServiceUnavailable: the hub does not answer.
        """
        from tornado.web import HTTPError

        await self.prepare()
        try:
            async with asyncio.timeout(_TIMEOUT):
                model = await self._auth.user_for_token(token, session_id=session_id, sync=False)
        except (HTTPError, TimeoutError, OSError, ValueError) as error:
            raise ServiceUnavailable(
                "JupyterHub does not answer, so the token cannot be checked; try again."
            ) from error
        if model is None:
            return None
        if not self._auth.check_scopes(self._auth.access_scopes, model):
            raise AccessDenied(
                f"The token may not use this service: it needs one of the scopes "
                f"{', '.join(sorted(self._auth.access_scopes))}."
            )
        return owner_of(model)


def owner_of(model: Mapping[str, Any]) -> Owner:
    """The owner that a model of JupyterHub's ``GET /hub/api/user`` describes."""
    kind = OwnerKind.SERVICE if model.get("kind") == "service" else OwnerKind.USER
    groups = frozenset(map(str, model.get("groups") or ()))
    return Owner(str(model["name"]), kind, groups, admin=bool(model.get("admin")))


def _hub_auth(service_name: str, prefix: str) -> Any:
    from jupyterhub.services.auth import HubAuth, HubOAuth

    # without a client's id HubOAuth refuses to exist
    kind = HubOAuth if os.environ.get("JUPYTERHUB_CLIENT_ID") else HubAuth
    auth = kind(cache_max_age=_CACHE_AGE, base_url=prefix)
    if not auth.access_scopes:
        auth.access_scopes = {f"access:services!service={service_name}"}
    return auth
