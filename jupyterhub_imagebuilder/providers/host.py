"""What all providers share that connect to a host: the door, the time they give it, its API."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from traitlets import Float, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from jupyterhub_imagebuilder.errors import ProviderUnavailable
from jupyterhub_imagebuilder.providers.door import Door
from jupyterhub_imagebuilder.providers.doorclient import DoorClient
from jupyterhub_imagebuilder.providers.hostapi import HostApi, TokenHeader, bearer
from jupyterhub_imagebuilder.providers.memo import Memo
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED, read_networks

V = TypeVar("V")


class HostProvider(LoggingConfigurable):
    """Base of every provider that connects.

    Its options are set for all providers at once as ``c.HostProvider.…``, or for one by its class.
    """

    timeout = Float(
        30.0,
        min=0.1,
        config=True,
        help="""
        Seconds that a repository's host has to answer.

        Default: 30.  A commit that is no branch or tag can be a second question with the same time.
        """,
    )

    memo = Float(
        10.0,
        min=0,
        config=True,
        help="""
        Seconds for which it is remembered what a branch or tag means.

        Default: 10.  0: those who ask at the same time share one answer, later ones ask again.
        """,
    )

    blocked_networks = List(
        Unicode(),
        default_value=list(DEFAULT_BLOCKED),
        config=True,
        help="""
        Networks, in CIDR form, in which no repository's host may have its address.

        Default: this machine, link-local, private and shared networks, and the addresses at which
        clouds hand out the credentials of a machine.  Where the networks of the cluster are others
        set this to ``DEFAULT_BLOCKED`` of ``jupyterhub_imagebuilder.providers.networks`` and
        them.  What a name resolves to is looked at as well as literal addresses, before each
        connection and after each redirect.  Where an HTTP proxy looks up names, the proxy has to
        block them too.  For a Git server of one's own use ``allowed_networks``.
        """,
    )

    allowed_networks = List(
        Unicode(),
        config=True,
        help="""
        Exceptions from ``blocked_networks``: networks in CIDR form, or single addresses.

        Default: none.  Example, for a Git server of one's own: ``["10.1.2.3"]``.
        """,
    )

    ca_file = Unicode(
        "",
        config=True,
        help="""
        Path of a PEM file with further CA certificates that hosts may have theirs from.

        Default: empty, the system's alone.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._door: Door | None = None
        self._client: DoorClient | None = None
        self._answers: Memo[Hashable, Any] | None = None

    @validate("blocked_networks", "allowed_networks")
    def _check_networks(self, proposal: dict[str, Any]) -> list[str]:
        try:
            read_networks(proposal["value"])
        except ValueError as error:
            name = f"{type(self).__name__}.{proposal['trait'].name}"
            raise TraitError(f"{name}: {error}") from error
        return list(proposal["value"])

    @property
    def door(self) -> Door:
        """Where this provider may connect."""
        if self._door is None:
            self._door = Door(self.blocked_networks, self.allowed_networks)
        return self._door

    def api(
        self,
        url: str,
        *,
        token: Callable[[], str | None] | None = None,
        header: TokenHeader = bearer,
    ) -> HostApi:
        """A client of a host's web API; it shares the connections of this provider's others.

        :param url: where the API is; of the admin's or of a user's choice.
        :param token: returns the token to use, or None; asked at each request.
        :param header: the header that carries it.
        """
        if self._client is None:
            self._client = DoorClient(self.door, self.timeout, self.tls_context)
        return HostApi(self._client, url, token=token, header=header)

    def tls_context(self) -> ssl.SSLContext:
        """With what certificates are checked.

        :raises ProviderUnavailable: ``ca_file`` cannot be read.
        """
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                raise ProviderUnavailable(
                    f"The certificates in {type(self).__name__}.ca_file cannot be read: "
                    "the administrator of this hub has to look at it."
                ) from error
        return context

    async def remembered(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer to a question, which is put once for all who ask it within ``memo`` seconds.

        :param key: identifies the question within this provider.
        """
        if self._answers is None:
            self._answers = Memo(self.memo)
        answer: V = await self._answers.get(key, ask)
        return answer

    async def close(self) -> None:
        """End what is under way, and the connections."""
        if self._answers is not None:
            await self._answers.close()
        if self._client is not None:
            await self._client.close()
