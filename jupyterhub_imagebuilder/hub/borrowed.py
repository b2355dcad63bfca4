"""KubeSpawner's profiles for spawners that have none.

Profiles, their form and what a choice sets are KubeSpawner's own functions, so that they are the
same on every spawner.  They are taken from its class: nothing of it is ever made, which would ask
for a cluster.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.utils import maybe_future
from kubespawner import KubeSpawner
from traitlets import Callable, Dict, List, Unicode, Union, default
from traitlets.config import Configurable


class ProfileList(Configurable):
    """KubeSpawner's profiles, for spawners that have none of their own.

    Set these on the spawner's own class, such as ``c.DockerSpawner.profile_list``.
    """

    profile_list = Union(
        [List(trait=Dict()), Dict(), Callable()],
        config=True,
        help="""
        The profiles that the form offers: a list, a dictionary or a function of the spawner, as
        ``c.KubeSpawner.profile_list``.  ``kubespawner_override`` sets options of this spawner.
        """,
    )
    profile_form_template = Unicode(
        config=True,
        help="Template (Jinja) of the form, as ``c.KubeSpawner.profile_form_template``.",
    )
    additional_profile_form_template_paths = List(
        Unicode(),
        config=True,
        help="Where a ``form.html`` is looked for before KubeSpawner's own is taken.",
    )

    _sorted_dict_values = KubeSpawner._sorted_dict_values  # noqa: SLF001
    _get_initialized_profile_list = KubeSpawner._get_initialized_profile_list  # noqa: SLF001
    _render_options_form = KubeSpawner._render_options_form  # noqa: SLF001
    _options_from_form = KubeSpawner._options_from_form  # noqa: SLF001
    _validate_user_options = KubeSpawner._validate_user_options  # noqa: SLF001
    _get_profile = KubeSpawner._get_profile  # noqa: SLF001
    _load_profile = KubeSpawner._load_profile  # noqa: SLF001
    load_user_options = KubeSpawner.load_user_options

    @default("options_from_form")
    def _options_from_form_default(self) -> Any:
        return self._options_from_form

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Any:
        # JupyterHub warns of options that it believes nobody handles
        return lambda _spawner, _options: None

    def _apply_overrides(self, overrides: dict[str, Any]) -> None:
        """KubeSpawner's own, without what only KubeSpawner has: it would be set to no effect."""
        known = {name: value for name, value in overrides.items() if hasattr(self, name)}
        for name in sorted(overrides.keys() - known.keys()):
            self.log.warning(
                "A profile sets %s, which %s does not have", name, type(self).__bases__[-1].__name__
            )
        KubeSpawner._apply_overrides(self, known)  # noqa: SLF001

    async def start(self) -> Any:
        """The spawner's own, after what KubeSpawner does first in its own."""
        await self.load_user_options()
        return await maybe_future(super().start())
