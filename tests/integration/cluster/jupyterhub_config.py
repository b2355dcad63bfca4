"""The hub of the cluster tests: what an admin writes, with values from a JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path

c = get_config()  # noqa: F821
settings = json.loads(Path(os.environ["TEST_HUB_SETTINGS"]).read_text())

c.JupyterHub.bind_url = settings["bind_url"]
c.JupyterHub.hub_bind_url = settings["hub_bind_url"]
c.JupyterHub.hub_connect_url = settings["hub_connect_url"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"boss"}
c.DummyAuthenticator.password = settings["password"]
c.JupyterHub.services = [{"name": "tests", "api_token": settings["admin_token"], "admin": True}]
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1}

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.namespace = settings["namespace"]
c.KubeSpawner.image = settings["image"]
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.args = ["--ServerApp.terminals_enabled=False"]
c.KubeSpawner.start_timeout = 120
c.KubeSpawner.http_timeout = 60
# zero-to-jupyterhub's: five failed starts in a row end the hub
c.KubeSpawner.consecutive_failure_limit = 5
c.KubeSpawner.mem_guarantee = "64M"
c.KubeSpawner.cpu_guarantee = 0.01
c.KubeSpawner.uid = 1000
c.KubeSpawner.fs_gid = 100
c.KubeSpawner.pod_name_template = f"{settings['id']}-{{user_server}}"
c.KubeSpawner.pvc_name_template = f"{settings['id']}-home-{{user_server}}"
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "100Mi"
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
c.KubeSpawner.volumes = [
    {"name": "home", "persistentVolumeClaim": {"claimName": c.KubeSpawner.pvc_name_template}}
]
c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}]

for section, values in settings["sections"].items():
    c[section].update(values)
if settings["profile_list"] is not None:
    c.KubeSpawner.profile_list = settings["profile_list"]

if settings["setup_ui"]:
    from jupyterhub_imagebuilder import setup_ui

    setup_ui(c)
