"""``setup_ui_example.py`` as it stands, started as its first lines say, and a user's browser."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import requests
from docker.utils import kwargs_from_env

from jupyterhub_imagebuilder.executors.docker import container
from tests.integration.hub.hubs import free_ports, token_in, until

REPOSITORY = Path(__file__).parents[3]
PASSWORD = "correct horse"
USER = "ada"


class ExampleHub:
    """JupyterHub with the example; what the machine is short of is on its command line.

    :param folder: where it runs.
    :param configuration: the example, or a copy of it.
    """

    def __init__(self, folder, configuration=REPOSITORY / "setup_ui_example.py"):
        port, hub_port, proxy_port, builder_port = free_ports(4)
        self.prefix = f"ib-example-{secrets.token_hex(4)}"
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "hub.log"
        (folder / "password").write_text(f"{PASSWORD}\n")
        registry = os.environ["IB_OPEN_REGISTRY"]
        options = {
            "JupyterHub.bind_url": self.url,
            "JupyterHub.hub_port": hub_port,
            "ConfigurableHTTPProxy.api_url": f"http://127.0.0.1:{proxy_port}",
            "ImageBuilder.port": builder_port,
            "DockerSpawner.image": f"{registry}/singleuser:1",
            "DockerSpawner.prefix": self.prefix,
            "DockerExecutor.build_image": f"{registry}/repo2docker:1",
            "DockerExecutor.instance": self.prefix,
            # the example's repository is on this machine
            "HostProvider.allowed_networks": json.dumps([os.environ["IB_NODE_ADDRESS"]]),
            # a test does not wait until a new commit is seen
            "HostProvider.memo": 0,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(configuration), *words],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": str(REPOSITORY),
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self):
        """Return when the login page is there."""
        until(self._answers, 60, self.text)
        return self

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def _answers(self):
        assert self.process.poll() is None, self.text()
        try:
            return requests.get(f"{self.url}/hub/login", timeout=5).ok
        except requests.ConnectionError:
            return False


class Visitor:
    """What somebody does in a browser."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        self.session = requests.Session()
        self.session.headers["Sec-Fetch-Mode"] = "navigate"
        self.session.headers["Sec-Fetch-Site"] = "same-origin"

    def log_in(self, password=PASSWORD):
        page = self.session.get(f"{self.hub.url}/hub/login", timeout=30).text
        return self.session.post(
            f"{self.hub.url}/hub/login",
            data={"username": self.name, "password": password, "_xsrf": token_in(page)},
            timeout=30,
            allow_redirects=False,
        )

    def form(self):
        return self.session.get(f"{self.hub.url}/hub/spawn/{self.name}", timeout=30).text

    def start(self, **fields):
        """Fill in the form, and wait for JupyterLab."""
        self.submit(**fields)
        until(self._started, 240, self.hub.text)

    def submit(self, **fields):
        action = re.search(r'id="spawn_form"[^>]*action="([^"]+)"', self.form(), re.DOTALL)[1]
        answer = self.session.post(
            self.hub.url + action.replace("&amp;", "&"),
            data=fields,
            timeout=60,
            allow_redirects=False,
        )
        assert answer.status_code == 302, answer.text

    def _started(self):
        assert "Unhandled error" not in self.hub.text(), self.hub.text()
        answer = self.session.get(f"{self.hub.url}/user/{self.name}/api", timeout=30)
        time.sleep(0.3)
        return answer.ok and "version" in answer.json()

    def landing(self):
        """Where the server sends somebody who opens it."""
        return self.session.get(f"{self.hub.url}/user/{self.name}/", timeout=30).url

    def stop(self):
        """Stop the server, and wait until the hub would start it again."""
        until(self._stopped, 30, self.hub.text)

    def _stopped(self):
        token = self.session.cookies.get("_xsrf", path="/hub/")
        answer = self.session.delete(
            f"{self.hub.url}/hub/api/users/{self.name}/server",
            headers={"X-XSRFToken": token, "Sec-Fetch-Mode": "cors"},
            timeout=60,
        )
        assert answer.status_code in (202, 204), answer.text
        return answer.status_code == 204  # 202: it is being stopped


class Machine:
    """The engine at ``DOCKER_HOST``, as its owner looks at it."""

    def __init__(self):
        self.client = docker.DockerClient(version="auto", **kwargs_from_env())

    def containers(self, prefix):
        return self.client.containers.list(all=True, filters={"name": f"^/{prefix}-"})

    def run(self, prefix, command):
        """What a command says in the one server there is."""
        (container,) = self.containers(prefix)
        code, said = container.exec_run(["sh", "-c", command])
        assert code == 0, said.decode()
        return said.decode().strip()

    def clean(self, prefix, homes):
        for each in self.containers(prefix):
            each.remove(force=True)
        builds = {"label": f"{container.INSTANCE}={prefix}"}
        for each in self.client.containers.list(all=True, filters=builds):
            each.remove(force=True)
        for each in self.client.images.list(filters=builds):
            self.client.images.remove(each.id, force=True)
        for home in homes:
            self.client.volumes.get(home).remove(force=True)
