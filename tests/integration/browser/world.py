"""A hub with everything around it, and the test's hand on what it builds."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.integration.hub.hubs import HubProcess, until
from tests.integration.hub.lasting import Registry

from .steered import HOST, commit_of

#: Seconds for what a loaded machine does in one.
PATIENCE = 40

SERVICE = """
c.ImageBuilder.executor_class = "tests.integration.browser.steered.SteeredExecutor"
c.ImageBuilder.provider_classes = ["tests.integration.browser.steered.SteeredProvider"]
c.ImageBuilder.image_prefix = "{registry}/team/"
c.ImageBuilder.linger = 0.1
c.ImageBuilder.max_builds_per_user = 1
c.DistributionRegistry.insecure = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.concurrent_spawn_limit = 32
c.ImageBuilderSpawner.progress_interval = 0.2
# a hub on a loaded machine
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 30}}
c.Spawner.http_timeout = 120
"""


class World:
    """A hub, its image builder, a registry; what the builds do is said by the test."""

    def __init__(self, directory, config, *, base="/base"):
        self.registry = Registry()
        self.registry.__enter__()
        self.hub = HubProcess(directory, config + SERVICE.format(registry=self.registry.address))
        self.hub.url = self.hub.url.removesuffix("/base") + base
        self.url = self.hub.url
        self.service = f"{self.url}/services/imagebuilder/"

    def wait(self):
        self.hub.wait()
        until(lambda: "ready to build" in self.hub.text(), PATIENCE, self.hub.text)
        return self

    def stop(self):
        self.hub.stop()
        self.registry.__exit__()

    # -- What repositories have ------------------------------------------------------------------

    def repository(self, name, **refs):
        """Set what a repository has, by ref: a dictionary or, as it is, a title."""
        path = self.hub.tmp / "repositories.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        url = f"{HOST}org/{name}"
        known[url] = {
            ref: {"commit": commit_of(url, ref)}
            | (has if isinstance(has, dict) else {"title": has})
            for ref, has in refs.items()
        }
        partial = path.with_suffix(".new")
        partial.write_text(json.dumps(known))
        partial.rename(path)
        return url

    # -- What builds do --------------------------------------------------------------------------

    def builds(self, url):
        """Folders of all builds of a repository, those that are over as well."""
        folders = [*self.hub.tmp.glob("builds/*"), *self.hub.tmp.glob("removed-*")]
        return [each for each in folders if _repository(each) == url]

    def build(self, url):
        """The build of a repository that is under way, as soon as there is one."""
        running = self.hub.tmp / "builds"

        def found():
            return [each for each in running.glob("*") if _repository(each) == url]

        until(found, PATIENCE, self.end_of_log)
        return Hand(found()[0])

    # -- What servers are started from -----------------------------------------------------------

    def image_of(self, user):
        """The image that a user's newest server got."""
        return (self.hub.tmp / f"image-{user}").read_text()

    def was_spawned(self, user):
        return (self.hub.tmp / f"image-{user}").exists()

    # -- The service as a process ----------------------------------------------------------------

    def service_pids(self):
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if _is_service(path, self.hub.service_port)
        ]

    def end_service(self, number=signal.SIGTERM):
        """End the service; the hub starts another one, within half a minute."""
        (pid,) = self.service_pids()
        os.kill(pid, number)
        until(lambda: pid not in self.service_pids(), PATIENCE)

    def await_service(self):
        until(self.service_pids, 90, self.end_of_log)

    def end_of_log(self):
        return self.hub.text()[-3000:]


class Hand:
    """On one build."""

    def __init__(self, folder):
        self.folder = folder

    def say(self, *texts, phase="building"):
        with (self.folder / "log").open("a") as log:
            log.writelines(json.dumps({"text": text, "phase": phase}) + "\n" for text in texts)

    def enter(self, phase, message):
        with (self.folder / "log").open("a") as log:
            log.write(json.dumps({"phase": phase, "message": message}) + "\n")

    def succeed(self):
        self._end({})

    def fail(self, message, reason="build-failed"):
        self._end({"message": message, "reason": reason})

    def _end(self, how):
        partial = self.folder / "end.new"
        partial.write_text(json.dumps(how))
        partial.rename(self.folder / "end")


def _repository(folder):
    try:
        return (folder / "repository").read_text()
    except OSError:
        return None


def _is_service(path, port):
    try:
        command = path.read_bytes()
        environment = (path.parent / "environ").read_bytes()
    except OSError:
        return False
    return b"jupyterhub_imagebuilder" in command and f":{port}".encode() in environment
