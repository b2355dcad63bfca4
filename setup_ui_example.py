"""A hub on Kubernetes with the choice "Build from a repository": the part that is ours.

Copy it into your jupyterhub_config.py, or, on zero-to-jupyterhub, into hub.extraConfig.
The order of options does not matter, except that `spawner_class` stands before setup_ui(c), and
`services`, `load_roles` and `spawner_class` are not assigned anew behind it.
"""

from jupyterhub_imagebuilder import setup_ui

c = get_config()

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
# Your own list of images stays: builds become the text field beside it.
c.KubeSpawner.profile_list = [{"display_name": "A server", "slug": "server"}]

setup_ui(c)

# Where images go: your registry, your organisation, a beginning that tells this hub's apart.
c.ImageBuilder.image_prefix = "registry.example.org/my-organisation/my-hub-"
# The Secret of type kubernetes.io/dockerconfigjson to push with, look up with and pull with.
c.KubernetesExecutor.push_secret = "imagebuilder-registry"  # noqa: S105
# The directory on the nodes that holds the engine's socket; helm-values/imagebuilder-node makes it.
c.KubernetesExecutor.engine_socket_dir = "/var/run/jhub-imagebuilder/docker-api"
