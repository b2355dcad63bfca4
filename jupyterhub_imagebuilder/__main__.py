"""``python -m jupyterhub_imagebuilder``: the service as a process."""

from jupyterhub_imagebuilder.app import main

main()
