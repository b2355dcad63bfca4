"""Who gets in: tokens and logins, from settings and ``JUPYTERHUB_*`` variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupyterhub_imagebuilder.web.auth import Authenticator, TokenFile
from jupyterhub_imagebuilder.web.hub_auth import Hub
from jupyterhub_imagebuilder.web.hub_site import HubSite, hub_site
from jupyterhub_imagebuilder.web.session import Sessions


@dataclass(frozen=True, slots=True)
class Access:
    """What handlers ask."""

    authenticator: Authenticator
    site: HubSite | None  #: None where no browser can log in
    sessions: Sessions | None  #: the same


def access(
    environment: Mapping[str, str], *, service_name: str, prefix: str, tokens: TokenFile | None
) -> Access:
    """Who may talk to the service.

    :param prefix: the service's path.
    :param tokens: API tokens beside a hub's, or instead of them.
    """
    own_token = environment.get("JUPYTERHUB_API_TOKEN", "")
    hub = Hub(service_name, prefix) if environment.get("JUPYTERHUB_API_URL") else None
    site = hub_site(environment)
    return Access(
        Authenticator(own_token=own_token, own_name=service_name, tokens=tokens, hub=hub),
        site,
        Sessions(hub, own_token) if hub is not None and site is not None else None,
    )
