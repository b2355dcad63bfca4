"""A container engine in memory, as DockerSpawner sees it through docker's client."""

from __future__ import annotations

import re
from types import SimpleNamespace

from docker.errors import APIError, NotFound


def refused(status, explanation, cls=APIError, url="http+docker://x/containers/create"):
    return cls("refused", SimpleNamespace(status_code=status, url=url), explanation)


class FakeEngine:
    """Images by all their names, containers by name."""

    def __init__(self):
        self.images = {}
        self.in_registry = set()  #: ``repository@digest`` that a pull finds
        self.containers = {}
        self.pulled = []
        self.ends_with = None  #: exit code and log of servers that end at once
        self.port_of_server = 1
        self.broken = {}  #: name of a call to what it raises

    def __getattribute__(self, name):
        call = super().__getattribute__(name)
        error = super().__getattribute__("__dict__").get("broken", {}).get(name)
        if error is None:
            return call

        def fail(*_arguments, **_options):
            raise error

        return fail

    def add_image(self, identity, *tags):
        for name in (identity, *tags):
            self.images[name] = {"Id": identity, "RepoTags": list(tags), "RepoDigests": []}
        return identity

    def inspect_image(self, name):
        if not re.fullmatch(r"[\w./:@-]+", name):
            raise refused(400, "invalid reference format")
        short = {key.removeprefix("sha256:")[:12]: value for key, value in self.images.items()}
        found = self.images.get(name) or short.get(name)
        if found is None:
            raise refused(404, f"No such image: {name}", NotFound)
        return found | {"Config": {"Cmd": ["sh"]}}

    def pull(self, name, tag):
        self.pulled.append((name, tag))
        if f"{name}@{tag}" not in self.in_registry:
            return '{"error": "denied"}'
        self.add_image(f"{name}@{tag}")
        return "{}"

    def create_host_config(self, **options):
        return options

    def create_container(self, *, image, name, command, environment, host_config, **_rest):
        self.containers[name] = {
            "Id": f"id-of-{name}-{len(self.containers)}",
            "Config": {"Image": image, "Cmd": command, "Env": environment},
            "State": {"Running": False, "ExitCode": 0, "Error": "", "FinishedAt": ""},
            "HostConfig": host_config,
        }
        return self.containers[name]

    def inspect_container(self, name):
        if name not in self.containers:
            raise refused(404, "No such container", NotFound)
        return self.containers[name]

    def by_id(self, identity):
        return next(each for each in self.containers.values() if each["Id"] == identity)

    def start(self, identity):
        state = self.by_id(identity)["State"]
        state["Running"] = self.ends_with is None
        state["ExitCode"] = 0 if self.ends_with is None else self.ends_with[0]

    def stop(self, identity):
        self.by_id(identity)["State"]["Running"] = False

    def remove_container(self, identity, *, v):
        if self.by_id(identity)["State"]["Running"]:
            raise refused(409, "It runs.")
        self.containers = {k: c for k, c in self.containers.items() if c["Id"] != identity}

    def logs(self, _identity, tail):
        return self.ends_with[1]

    def port(self, identity, _port):
        if not self.by_id(identity)["State"]["Running"]:
            return None
        return [{"HostIp": "127.0.0.1", "HostPort": str(self.port_of_server)}]
