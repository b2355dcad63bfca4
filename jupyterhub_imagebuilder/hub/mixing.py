"""Which classes make a spawner one that starts from images that are built.

One path for all: what differs between spawners is in the class that comes first.
"""

from __future__ import annotations

from typing import Final

from jupyterhub_imagebuilder.hub.servers import ImageServers, ProcessServers
from jupyterhub_imagebuilder.hub.spawner import ImageBuilderSpawner

#: What KubeSpawner has, and the choice needs; others get it from ``borrowed.py``.
_PROFILES: Final = (
    "profile_list",
    "load_user_options",
    "_get_initialized_profile_list",
    "_render_options_form",
)
#: What ``docker.py`` builds on.
_DOCKER: Final = ("allowed_images", "check_allowed", "create_object", "pull_image", "docker")


def is_kubespawner(base: type) -> bool:
    """Whether a class is KubeSpawner, or has all of it that the choice needs."""
    return all(hasattr(base, name) for name in _PROFILES)


def mixed(base: type) -> tuple[type, ...]:
    """The bases of the class to spawn with.

    :param base: the configured spawner class; is the last of them.
    :raises ValueError: ``ImageBuilderSpawner`` is in it already, but not all that it needs.
    """
    ready = issubclass(base, ImageBuilderSpawner)
    if is_kubespawner(base):
        return (base,) if ready else (ImageBuilderSpawner, base)
    if ready:
        raise ValueError(
            f"c.JupyterHub.spawner_class ({base.__name__}) has ImageBuilderSpawner among its "
            "bases, which only a class derived from KubeSpawner may: leave it out there, "
            "setup_ui(c) adds it."
        )
    # costs half a second, which KubeSpawner's own hubs have paid already
    from jupyterhub_imagebuilder.hub.borrowed import ProfileList

    return (_front(base), ImageBuilderSpawner, ProfileList, base)


def _front(base: type) -> type:
    if all(hasattr(base, name) for name in _DOCKER):
        from jupyterhub_imagebuilder.hub.docker import DockerServers

        return DockerServers
    return ImageServers if hasattr(base, "image") else ProcessServers
