"""Tokens of the machine's own service account on Google Cloud.

The metadata server is asked as
https://cloud.google.com/compute/docs/metadata/querying-metadata says; the user that goes with an
access token is that of https://cloud.google.com/artifact-registry/docs/docker/authentication.
"""

from __future__ import annotations

import asyncio
import json
import os
from http import HTTPStatus

from yarl import URL

from jupyterhub_imagebuilder.builds.ports import Clock
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.failures import Transient
from jupyterhub_imagebuilder.registry.transport import Answer, Transport

_HOST = "metadata.google.internal"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_FLAVOR = {"Metadata-Flavor": "Google"}
_USER = "oauth2accesstoken"
#: Seconds before its end in which a token is not used any more.  The server renews its own five
#: minutes before their end, and says the old one until then.
_MARGIN = 60.0
#: Seconds: the server is on the same machine.
_TIMEOUT = 5.0


class GoogleCredentials:
    """The access token of the service account that this machine, or pod, runs as.

    The admin's own machine is asked, so the addresses that repositories may not have do not
    matter here.  ``GCE_METADATA_HOST`` names another server, as for Google's own libraries.

    :param host: the registry's name, for the sentences.
    """

    def __init__(self, host: str, *, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        server = os.environ.get("GCE_METADATA_HOST") or _HOST
        self._url = URL.build(scheme="http", authority=server, path=_PATH)
        self._transport = Transport(server, timeout=_TIMEOUT, clock=clock)
        self._lock = asyncio.Lock()
        self._token = ""
        self._expires = float("-inf")

    async def get(self) -> Credentials:
        """The token, a new one where it ends soon.

        :raises RegistryUnavailable: the metadata server does not answer.
        :raises RegistryDenied: there is no service account.
        """
        async with self._lock:
            if self._clock.now() >= self._expires:
                await self._ask()
            return Credentials(_USER, self._token)

    async def renew(self) -> Credentials:
        """The same: the metadata server has no newer one."""
        return await self.get()

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def _ask(self) -> None:
        now = self._clock.now()
        try:
            answer = await self._transport.send("GET", self._url, headers=_FLAVOR)
        except RegistryUnavailable as error:
            raise Transient(
                f"Google's metadata server, which has the credentials for the registry "
                f"{self._host}, does not answer; please try again in a few minutes."
            ) from error
        self._token, lifetime = self._read(answer)
        self._expires = now + lifetime - min(_MARGIN, lifetime / 2)

    def _read(self, answer: Answer) -> tuple[str, float]:
        try:
            content = json.loads(answer.body)
        except ValueError:
            content = None  # the exception would hold the body
        google = answer.headers.get("Metadata-Flavor") == "Google"
        if answer.status == HTTPStatus.OK and google and isinstance(content, dict):
            token, lifetime = content.get("access_token"), content.get("expires_in")
            if isinstance(token, str) and token and isinstance(lifetime, int | float):
                return token, float(lifetime)
        raise RegistryDenied(
            f"Google's metadata server has no credentials for the registry {self._host}: this "
            "needs a service account; please tell the administrator of this hub."
        )
