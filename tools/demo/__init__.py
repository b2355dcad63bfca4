"""`make demo`: a hub with the image builder on one machine, and its removal.

    state      where everything of one demo is
    machine    this machine's programs, its packages, root
    api        a container engine's API
    engine     the engine that the demo uses: another's, or one of its own
    keeper     the process that keeps an engine of the demo's own
    network    its bridge
    images     the two images that the demo needs
    making     how they are made where they cannot be pulled
    repository the example
    hub        JupyterHub
    clean      removes all of it

`state`, `machine`, `api`, `engine`, `keeper`, `network` and `clean` need no package beside Python's
own: what the demo has made must be removable when its environment is gone.
"""
