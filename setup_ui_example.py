"""A whole JupyterHub on one machine, with the choice *Build from a repository*: copy it.

    python -m pip install "jupyterhub-imagebuilder[docker]" dockerspawner jupyterhub-idle-culler
    npm install --global configurable-http-proxy
    jupyterhub -f setup_ui_example.py

It wants Linux, a container engine (Docker) that you may use, and a file named `password`, of eight
characters or more, in the folder where the hub is started: that folder keeps the hub's state.
The order matters in one place: `spawner_class`, `services` and `load_roles` stand before
`setup_ui(c)`.  For Kubernetes, see docs/how-to/install-on-z2jh.md.
"""

import ipaddress
import sys
from pathlib import Path

import docker

from jupyterhub_imagebuilder import setup_ui

c = get_config()

c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# Everyone who knows the password is let in, under any name.  For more than a trial choose another
# authenticator: https://jupyterhub.readthedocs.io/en/stable/reference/authenticators.html
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = Path("password").read_text("utf-8").strip()
c.Authenticator.allow_all = True

# Each user's server is a container.  It reaches the hub at this machine's address on the engine's
# own network.
c.JupyterHub.spawner_class = "docker"
network = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
first = next(ipaddress.ip_network(network["Subnet"]).hosts())
c.JupyterHub.hub_ip = network.get("Gateway") or str(first)
c.DockerSpawner.remove = True  # a stopped server's container; the home is a volume, and stays
c.DockerSpawner.volumes = {"imagebuilder-home-{username}": "/home/jovyan"}
c.DockerSpawner.notebook_dir = "/home/jovyan"

# The home hides what an image has there.  So a repository's files are put into /srv/repo (a
# Dockerfile of its own says so itself: COPY . /srv/repo), and copied at each start into a folder
# of the home that is named after the repository.  What is there already is never overwritten.
# The image's user has to be jovyan (1000), as in Jupyter's images and those of repo2docker.
c.DockerExecutor.repo2docker_extra_args = ["--target-repo-dir=/srv/repo"]
START = """
if [ -d /srv/repo ]; then
  name=${JUPYTER_IMAGE_SPEC##*/} name=${name%%[:@]*} folder=${name%-*}
  mkdir -p "/home/jovyan/$folder" && export JUPYTERHUB_DEFAULT_URL="/lab/tree/$folder"
  cp -Rn /srv/repo/. "/home/jovyan/$folder/"
fi
exec jupyterhub-singleuser "$@"
"""
c.DockerSpawner.cmd = ["sh", "-c", START, "jupyterhub-singleuser"]

# Servers that nobody has used for an hour are stopped: change the seconds, or leave this out.
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]

# The choice in the form.  Images stay in the engine; to keep them in a registry, and for what a
# build may use and how much disk images may take, see docs/how-to/one-machine.md.
setup_ui(c)
