"""DockerSpawner's ``allowed_images`` as a profile: its users choose as before, and may build.

What a user may choose stays DockerSpawner's decision: its ``check_allowed`` is asked in the gate,
which also is where an admin's own class overrides it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from tornado.web import HTTPError
from traitlets import default
from traitlets.config import Configurable

from jupyterhub_imagebuilder.errors import SpecInvalid
from jupyterhub_imagebuilder.hub.profile import UNLISTED, OtherImage, Selection, Settings, is_build

_ANY: Final = "*"
_DEFAULT: Final = "default"
#: What goes into a page as it is: KubeSpawner's template escapes nothing.
_PLAIN_IMAGE: Final = re.compile(r"\w[\w./:@-]*")


class AllowedImages(Configurable):
    """Turns ``allowed_images`` into profiles where the admin wrote no ``profile_list``."""

    # of the classes behind this one
    options_from_form: Any
    profile_list: Any
    image: Any
    user_options: Any
    _choice: Settings
    _image_before: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if getattr(self.options_from_form, "__module__", "").startswith("dockerspawner."):
            # before DockerSpawner 14 it is a method, which hides JupyterHub's option of that name
            self.options_from_form = self._options_from_form

    @default("profile_list")
    def _profile_list_default(self) -> Any:
        return self._profiles_of_allowed_images

    def _profiles_of_allowed_images(self, _spawner: Any = None) -> list[dict[str, Any]]:
        allowed = self._get_allowed_images()
        name = self._choice.option_name
        if allowed == _ANY:
            return [_profile(name, self._any_image())]
        if not allowed:
            return []
        choices = {key: _image(key, value) for key, value in allowed.items()}
        for key, value in allowed.items():
            choices[key]["default"] = value == self.image
        return [_profile(name, {"choices": choices})]

    def _any_image(self) -> dict[str, Any]:
        choices = {_DEFAULT: {"display_name": escape(self.image), "default": True}}
        asked = self.user_options.get(self._choice.option_name)
        if isinstance(asked, str) and _PLAIN_IMAGE.fullmatch(asked) and not is_build(asked):
            # DockerSpawner takes a name where KubeSpawner takes one of its choices
            choices.setdefault(asked, _image(asked, asked))
        unlisted = {
            "enabled": True,
            "display_name": "Image",
            "display_name_in_choices": "Another image",
            "kubespawner_override": {"image": "{value}"},
        }
        return {"choices": choices, "unlisted_choice": unlisted}

    @property
    def _by_allowed_images(self) -> bool:
        return bool(self.profile_list == self._profiles_of_allowed_images)

    def _selection(self) -> Selection:
        """An image that was named is a free text, wherever DockerSpawner lets one be written."""
        chosen: Selection = super()._selection()
        if chosen is None and self._by_allowed_images and self._get_allowed_images() == _ANY:
            named = self._named_image()
            return OtherImage(named) if named else None
        return chosen

    def _named_image(self) -> str | None:
        options: Mapping[str, Any] = self.user_options
        name = self._choice.option_name
        text = options.get(name + UNLISTED) or options.get(name)
        any_image = self._get_allowed_images() == _ANY
        if not isinstance(text, str) or is_build(text) or (any_image and text == _DEFAULT):
            return None
        return text

    def _options_from_form(self, formdata: Mapping[str, Any]) -> dict[str, Any]:
        """KubeSpawner's own; and of an admin's own form, the field that DockerSpawner reads."""
        options: dict[str, Any] = super()._options_from_form(formdata)
        if not options and formdata.get("image"):
            options["image"] = formdata["image"][0]
        return options

    async def load_user_options(self) -> None:
        """Keep what the configuration says, which is what a request without a choice gets."""
        self._image_before = self.image
        await super().load_user_options()

    async def _ask_allowed_images(self) -> None:
        """Let DockerSpawner decide on an image that was named.

        :raises SpecInvalid: it says no.
        """
        if not self._by_allowed_images or not self._get_allowed_images():
            return
        named = self._named_image()
        if named is None:
            self.image = self._image_before
            return
        try:
            self.image = await super().check_allowed(named)
        except HTTPError as error:
            # before JupyterHub 6 any other exception counts as a fault of the hub
            raise SpecInvalid(_sentence(error)) from error


def _sentence(refusal: HTTPError) -> str:
    message = getattr(refusal, "jupyterhub_message", None)
    if not message and refusal.log_message:
        message = refusal.log_message % refusal.args
    return str(message or f"DockerSpawner refuses this image ({refusal.status_code}).")


def _profile(option_name: str, option: dict[str, Any]) -> dict[str, Any]:
    options = {option_name: {"display_name": "Image", **option}}
    return {
        "display_name": "Server",
        "slug": "server",
        "default": True,
        "profile_options": options,
    }


def _image(label: str, image: str) -> dict[str, Any]:
    return {"display_name": escape(label), "kubespawner_override": {"image": image}}
