"""The command ``jupyterhub-imagebuilder``: the service, or ``build`` against one that runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run what the first word names, and end the process."""
    if sys.argv[1:2] == ["build"]:
        from jupyterhub_imagebuilder.cli.main import main as build

        sys.exit(build(sys.argv[2:]))
    from jupyterhub_imagebuilder.app import main as serve

    serve()
