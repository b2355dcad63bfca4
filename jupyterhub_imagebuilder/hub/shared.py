"""What all spawners of one hub share: the service's address, streams, seats, and its troubles."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from jupyterhub_imagebuilder.hub.client import ImageBuilderClient, ServiceAddress
from jupyterhub_imagebuilder.hub.panel import front_end_built
from jupyterhub_imagebuilder.hub.streams import BuildStreams
from jupyterhub_imagebuilder.hub.waiting import WaitingRoom


class HubSide:
    """One per hub process; made by ``setup_ui``, used by the spawners.

    :param address: gives the service's address, once it is asked for; takes JupyterHub's
        ``base_url``.
    :param name: gives the service's name.
    """

    def __init__(self, address: Callable[[str], ServiceAddress], name: Callable[[], str]) -> None:
        self._address = address
        self._name = name
        self.base_url = "/"
        self.elsewhere = False  #: whether the admin runs the service, of whatever version
        self.room = WaitingRoom()
        self.troubles: list[str] = []  #: sentences for the form
        self.logged: set[str] = set()

    @property
    def service_name(self) -> str:
        """What the service is called in JupyterHub."""
        return self._name()

    @property
    def has_pages(self) -> bool:
        """Whether the service has pages for browsers, as far as this process can tell."""
        return self.elsewhere or front_end_built()

    @cached_property
    def client(self) -> ImageBuilderClient:
        """The service's client; nothing is connected before it is used."""
        return ImageBuilderClient(self._address(self.base_url))

    @cached_property
    def streams(self) -> BuildStreams:
        """The streams of builds that starts wait for."""
        return BuildStreams(self.client)
