"""KubeSpawner whose pod is a process on this machine; what comes before the pod is its own."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import DEVNULL, Popen

import kubespawner.spawner
from jupyterhub.utils import random_port
from kubespawner import KubeSpawner

kubespawner.spawner.load_config = lambda **options: None
kubespawner.spawner.shared_client = lambda name: None

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start_server(port):
    return Popen([sys.executable, "-c", SERVER, str(port)], stdout=DEVNULL)


class LocalKubeSpawner(KubeSpawner):
    """Starts a process where KubeSpawner would make a pod."""

    process = None

    async def _start(self):
        await self.load_user_options()
        port = random_port()
        self.process = start_server(port)
        log = Path(self.config.ImageBuilder.state_dir).parent / f"image-{self.user.name}"
        log.write_text(self.image)
        return f"http://127.0.0.1:{port}"

    async def poll(self):
        return 1 if self.process is None else self.process.poll()

    async def stop(self, now=False):  # noqa: FBT002  # JupyterHub's signature
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def progress(self):
        yield {"progress": 50, "message": "the pod's own event"}


def stand_in(c):
    """Let ``tests.fakes.service`` run as the managed service; after ``setup_ui``."""
    entry = c.JupyterHub.services[-1]

    class StandIn(type(entry)):
        def __deepcopy__(self, memo):
            command = [sys.executable, "-m", "tests.fakes.service"]
            return {**super().__deepcopy__(memo), "command": command}

    entry.__class__ = StandIn
