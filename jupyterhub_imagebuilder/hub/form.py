"""The spawner's form: the choice in it, on every page that JupyterHub renders it on.

Nothing in here may raise: a form that does is an error page for its user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar
from urllib.parse import quote

from jupyterhub.utils import maybe_future
from traitlets import List, Unicode, default
from traitlets.config import Configurable

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.hub.failures import spawn_failure
from jupyterhub_imagebuilder.hub.panel import panel, service_url, with_commit, without_ours
from jupyterhub_imagebuilder.hub.profile import UNLISTED, Settings, is_build, with_build_choice
from jupyterhub_imagebuilder.hub.shared import HubSide


class FormChoice(Configurable):
    """Puts the choice into KubeSpawner's form, and keeps it out of links."""

    hub_side: ClassVar[HubSide | None] = None  #: set by ``setup_ui``

    option_name = Unicode(
        "image",
        config=True,
        help="The profile option (a key of ``profile_options``) that gets the choice to build.",
    )
    profiles = List(
        Unicode(),
        config=True,
        help="Slugs of the profiles that offer to build; empty is all of them.",
    )

    prefill = Unicode(
        config=True,
        help="""
        A repository that the form begins with, as one would write it there: for users who have
        not started a server yet.  The choice to build is selected then.
        """,
    )

    # KubeSpawner's, which comes behind this class
    user: Any
    name: Any
    hub: Any
    user_options: Any
    _admin_profiles: list[dict[str, Any]] | None = None
    _offers_builds = True

    @property
    def _choice(self) -> Settings:
        return Settings(self.option_name, tuple(self.profiles) or None)

    def _get_initialized_profile_list(self, profile_list: Any) -> Any:
        """KubeSpawner's list with our choice; the admin's own where ours fails."""
        initialize = super()._get_initialized_profile_list
        admins = initialize(self._sorted_dict_values(profile_list) or [])
        self._admin_profiles = admins
        if not self._offers_builds:
            return admins
        try:
            options = self.user_options or {}
            text, slug = options.get(self._choice.text_key), options.get("profile")
            return initialize(
                with_build_choice(
                    admins,
                    self._choice,
                    building=isinstance(text, str) and is_build(text),
                    # where there are no profiles, KubeSpawner does not mind which one is asked for
                    only_slug=_plain_slug(slug) or "server",
                )
            )
        except Exception:
            self.log.exception("The choice to build an image could not be added to the profiles")
            return admins

    @default("options_form")
    def _options_form_default(self) -> Any:
        # a function, so that it is rendered where the form is shown, not on every page of the hub
        return self._imagebuilder_form

    async def _imagebuilder_form(self, _spawner: Any = None) -> str:
        form = self._render_options_form(await self._profiles_now())
        if trouble := self._trouble():
            text = f"Building images is unavailable: {trouble}"
            return f'<div class="alert alert-warning" role="alert">{escape(text)}</div>{form}'
        return form + self._panel() if form else form

    def _panel(self) -> str:
        """What makes more of the form in a browser; empty where there is no front end."""
        try:
            service = self._service_url()
            if service is None:
                return ""
            return panel(
                {
                    "service": service,
                    "service_name": self.hub_side.service_name if self.hub_side else "",
                    "user": self.user.name,
                    "server": self.name or "",
                    "option": self.option_name,
                    "prefill": "" if self.user_options else self.prefill,
                    "server_url": self.user.server_url(self.name or ""),
                    "hub": self.hub.base_url,
                    # what is on another host cannot be looked at
                    "content": None if "://" in service else f"{service}content",
                }
            )
        except Exception:
            self.log.exception("The form stays without its panel")
            return ""

    def _service_url(self) -> str | None:
        """Where browsers find the service's pages; None where it has none."""
        side = self.hub_side
        if side is None or not side.has_pages:
            return None
        settings = getattr(self.user, "settings", {})
        return service_url(settings, side.service_name, self.hub.base_url)

    def _page_of_build(self, build_id: str) -> str | None:
        """Address of a build's page; None where there are no pages."""
        try:
            service = self._service_url()
        except Exception:
            self.log.exception("The address of the image builder's pages is unknown")
            return None
        return service and f"{service}builds/{quote(build_id, safe='')}"

    async def run_options_from_form(self, form_data: Any) -> Any:
        """Read the form as ever, with the commit that the page built."""
        read = super().run_options_from_form
        options = await maybe_future(read(without_ours(form_data)))
        return with_commit(options, form_data, self._choice)

    def _render_options_form(self, profile_list: Any) -> str:
        """Render the form, if need be without saved options, or without our choice.

        JupyterHub saves options before anybody looked at them: what a broken request left there
        must not take the form away.
        """
        saved: Any = self.user_options
        render = super()._render_options_form
        try:
            for options, offers_builds in (
                (saved or self._prefilled(profile_list), True),
                ({}, True),
            ):
                self.user_options, self._offers_builds = options, offers_builds
                try:
                    return str(render(profile_list))
                except Exception:
                    self.log.exception("The form could not be rendered; trying with less in it")
            self._offers_builds = False
            # as KubeSpawner has it: no profiles, no form
            return str(render(profile_list)) if profile_list else ""
        finally:
            self.user_options, self._offers_builds = saved, True

    def _prefilled(self, profile_list: Any) -> dict[str, Any]:
        """Options as somebody would have saved them who started from ``prefill``."""
        if not self.prefill:
            return {}
        profiles = self._get_initialized_profile_list(profile_list) or []
        offering = [each for each in profiles if self._choice.includes(each)]
        if not offering:
            return {}
        default_one = next((each for each in offering if each.get("default")), offering[0])
        return {"profile": default_one["slug"], self._choice.text_key: self.prefill}

    async def _profiles_now(self) -> Any:
        profiles = self.profile_list
        if callable(profiles):
            profiles = await maybe_future(profiles(self))
        return self._sorted_dict_values(profiles) or []

    def _trouble(self) -> str | None:
        """Why nothing can be built, as far as the hub's configuration tells."""
        side = self.hub_side
        if side is None:
            return "setup_ui(c) was not called in the hub's configuration."
        services = getattr(self.user, "settings", {}).get("services")
        if isinstance(services, Mapping) and side.service_name not in services:
            trouble = (
                "c.JupyterHub.services was assigned after setup_ui(c), which removed the image "
                "builder from it."
            )
        elif side.troubles:
            trouble = " ".join(side.troubles)
        else:
            return None
        if trouble not in side.logged:
            side.logged.add(trouble)
            self.log.error("Building images is unavailable: %s", trouble)
        return trouble

    async def options_from_query(self, query_data: Any) -> Any:
        """Read a link's options; it may choose, but not build: any page can make one followed.

        :raises HTTPError: 400, the link would start a build.
        """
        options = await maybe_future(super().options_from_query(query_data))
        for key, value in options.items():
            if str(key).endswith(UNLISTED) and isinstance(value, str) and is_build(value):
                raise spawn_failure(
                    SpecInvalid("A link cannot start a build: choose the repository in the form.")
                )
        return options


def _plain_slug(slug: Any) -> str | None:
    """A profile's slug that may go into a page as it is."""
    return slug if isinstance(slug, str) and re.fullmatch(r"[\w-]+", slug) else None
