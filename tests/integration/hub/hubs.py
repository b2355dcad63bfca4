"""A real JupyterHub with a real proxy, in processes of their own, and a browser-like client."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import requests

REPOSITORY = Path(__file__).parents[3]
ADMIN_TOKEN = "a" * 40

#: KubeSpawner without a cluster: what its start would make a pod of becomes a process.
PRELUDE = """
import sys
sys.path.insert(0, {repository!r})
from tests.integration.hub.local_spawner import LocalKubeSpawner, stand_in
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/base/"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = {tmp!r} + "/cookie_secret"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = {tmp!r} + "/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"admin"}}
c.JupyterHub.spawner_class = LocalKubeSpawner
c.Spawner.consecutive_failure_limit = 5
c.JupyterHub.services = [{{"name": "tester", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "tester",
        "services": ["tester"],
        "scopes": ["admin:users", "admin:servers", "tokens"],
    }}
]
c.ImageBuilder.port = {service_port}
c.ImageBuilder.state_dir = {tmp!r} + "/state"
c.ImageBuilder.image_prefix = "registry.test/team/"
from jupyterhub_imagebuilder import setup_ui
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class HubProcess:
    """JupyterHub with a configuration, from its start to its end."""

    def __init__(self, tmp_path, config):
        port, hub_port, proxy_port, self.service_port = free_ports(4)
        self.tmp = tmp_path
        self.url = f"http://127.0.0.1:{port}/base"
        self.log = tmp_path / "hub.log"
        prelude = PRELUDE.format(
            repository=str(REPOSITORY),
            port=port,
            hub_port=hub_port,
            proxy_port=proxy_port,
            service_port=self.service_port,
            tmp=str(tmp_path),
            token=ADMIN_TOKEN,
        )
        path = tmp_path / "jupyterhub_config.py"
        path.write_text(prelude + config)
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CONFIGPROXY_AUTH_TOKEN": "c" * 40,
        }
        environment.pop("KUBERNETES_SERVICE_HOST", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "--config", str(path)],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self):
        """Return when the hub answers through its proxy."""
        until(self._answers, 40, self.text)
        return self

    def _answers(self):
        assert self.process.poll() is None, self.text()
        try:
            return requests.get(f"{self.url}/hub/api", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")

    def api(self, method, path, token=ADMIN_TOKEN, **kwargs):
        return requests.request(
            method,
            f"{self.url}/hub/api/{path}",
            headers={"Authorization": f"token {token}"},
            timeout=30,
            **kwargs,
        )

    def add_users(self, *names):
        answer = self.api("POST", "users", json={"usernames": names})
        assert answer.status_code == 201, answer.text

    def start(self, name, options):
        """Start a server by REST; 201 is ready, 202 pending."""
        return self.api("POST", f"users/{name}/server", json=options)

    def server(self, name):
        return self.api("GET", f"users/{name}").json()["servers"].get("")

    def ready(self, name):
        server = self.server(name)
        return bool(server) and server["ready"]

    def user_options(self, name):
        return self.server(name)["user_options"]


class Browser:
    """A logged-in user; sends what a browser sends."""

    def __init__(self, hub, name):
        self.hub = hub
        self.session = requests.Session()
        self.session.headers["Sec-Fetch-Mode"] = "navigate"
        self.session.headers["Sec-Fetch-Site"] = "same-origin"
        page = self.session.get(f"{hub.url}/hub/login", timeout=30).text
        answer = self.session.post(
            f"{hub.url}/hub/login",
            data={"username": name, "password": "x", "_xsrf": token_in(page)},
            timeout=30,
            allow_redirects=False,
        )
        assert answer.status_code == 302, answer.text

    def form(self, query=""):
        return self.session.get(f"{self.hub.url}/hub/spawn{query}", timeout=30)

    def submit(self, **fields):
        form = self.form().text
        action = re.search(r'id="spawn_form"[^>]*action="([^"]+)"', form, re.DOTALL).group(1)
        origin = self.hub.url.rpartition("/")[0]
        return self.session.post(
            origin + action.replace("&amp;", "&"), data=fields, timeout=30, allow_redirects=False
        )


def token_in(page):
    return re.search(r'name="_xsrf"\s+value="([^"]+)"', page).group(1)


def until(condition, seconds=20, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {explain()}"
        time.sleep(0.1)
