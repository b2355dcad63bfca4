"""An engine that a newcomer might have already, and what is in it."""

from __future__ import annotations

import docker

from tests.integration.docker.engines import OwnEngine, run


class ReadyEngine(OwnEngine):
    """An engine of a test's own whose containers reach the network, as any newcomer's do."""

    def install(self) -> None:
        super().install()
        with self.client() as client:
            found = client.inspect_network("bridge")
        self._subnet = found["IPAM"]["Config"][0]["Subnet"]
        for rule in self._rules():
            run("iptables", "--wait", *rule[:2], "--append", *rule[2:])

    def uninstall(self) -> None:
        super().uninstall()
        for rule in self._rules():
            run("iptables", "--wait", *rule[:2], "--delete", *rule[2:])

    def _rules(self) -> list[tuple[str, ...]]:
        mark = ("-m", "comment", "--comment", self.name)
        away = ("-s", self._subnet, "!", "-o", self.name)
        return [
            ("-t", "filter", "FORWARD", "-i", self.name, *mark, "-j", "ACCEPT"),
            ("-t", "filter", "FORWARD", "-o", self.name, *mark, "-j", "ACCEPT"),
            ("-t", "nat", "POSTROUTING", *away, *mark, "-j", "MASQUERADE"),
        ]


def inventory(client: docker.DockerClient) -> dict[str, list[str]]:
    """All that an engine keeps, whoever made it."""
    api = client.api
    return {
        "images": sorted(f"{each['Id']} {each['RepoTags']}" for each in api.images(all=True)),
        "containers": sorted(each["Id"] for each in api.containers(all=True)),
        "volumes": sorted(each["Name"] for each in api.volumes()["Volumes"] or []),
        "networks": sorted(each["Name"] for each in api.networks()),
    }
