"""``python -m jupyterhub_imagebuilder``: the same as the command ``jupyterhub-imagebuilder``."""

from jupyterhub_imagebuilder.entry import main

main()
