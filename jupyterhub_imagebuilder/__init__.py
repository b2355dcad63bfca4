"""Build images from repositories, from JupyterHub's spawn form.

Importing this package loads neither tornado applications nor Kubernetes clients.
"""

from __future__ import annotations

from jupyterhub_imagebuilder._version import __version__

__all__ = ["__version__", "setup_ui"]


def __getattr__(name: str) -> object:
    if name == "setup_ui":
        from jupyterhub_imagebuilder.hub.ui import (
            setup_ui,
        )  # the hub's side, only where it is asked for

        return setup_ui
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
