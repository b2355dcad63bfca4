"""An engine of the demo's own, started beside the one that runs on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import docker
import pytest

from tools.demo import engine, leftovers, making, network
from tools.demo.state import State

pytestmark = [pytest.mark.docker, pytest.mark.cluster, pytest.mark.timeout(300)]

IMAGE = "private-engine-test:1"
#: What a container does: a line from this machine, and one from the world.
PROGRAM = """
import socket, sys, urllib.request
gateway, port, address = sys.argv[1:]
with socket.create_connection((gateway, int(port)), 10) as here:
    print(here.recv(100).decode())
print(urllib.request.urlopen(address, timeout=30).status)
"""


@pytest.fixture(scope="module")
def state():
    folder = Path(tempfile.mkdtemp(prefix="ibt-demo-"))
    found = State(folder)
    yield found
    assert engine.remove_private(found)
    shutil.rmtree(found.run)
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def without_engines(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "DOCKERS_OWN", str(tmp_path / "none.sock"))
    for name in ("DOCKER_HOST", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


def rules() -> list[str]:
    """The running engine's own rules; those of single containers come and go."""
    listed = []
    for table in ("filter", "nat"):
        words = ["iptables", "--wait", "-t", table, "-S"]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        listed += [f"{table} {line}" for line in said.splitlines()]
    return [each for each in listed if "docker" in each.lower() and "--dport" not in each]


def address(name: str) -> str:
    words = ["ip", "-o", "-4", "address", "show", "dev", name]
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout


def left(state: State) -> dict[str, list]:
    """What a private engine has outside of its folder."""
    name = engine.bridge_name(state.folder)
    run = state.run / "exec"
    said = subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text()
    return {
        "processes": list(leftovers.processes(run, state.engine)),
        "mounts": leftovers.below(mounts, state.run, state.engine),
        "rules": [line for line in said.splitlines() if network.mark_of(name) in line],
        "bridges": [name] if address(name) else [],
        "sockets": list(state.run.glob("*.sock")),
    }


NOTHING = {"processes": [], "mounts": [], "rules": [], "bridges": [], "sockets": []}


def mirror() -> str:
    words = ["apt-get", "indextargets", "--format", making._TARGETS, "Created-By: Packages"]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    line = making.sources(said, making.machine.release())[0]
    uri, suite = line.partition("] ")[2].split()[:2] if "[" in line else line.split()[1:3]
    return f"{uri.rstrip('/')}/dists/{suite}/InRelease"


@contextlib.contextmanager
def another(host: str):
    """A container in the engine that runs already."""
    with contextlib.closing(docker.DockerClient(host)) as client:
        image = f"{os.environ['IB_OPEN_REGISTRY']}/base:1"
        made = client.containers.run(image, ["sleep", "300"], detach=True, init=True)
        try:
            yield made
        finally:
            made.remove(force=True)


def running(host: str):
    client = docker.DockerClient(host)
    client.images.pull(f"{os.environ['IB_OPEN_REGISTRY']}/base", "1").tag(IMAGE)
    return client


HOST = os.environ.get("DOCKER_HOST", "")


def test_it_runs_beside_another_one_and_leaves_nothing(state):
    with another(HOST) as other:
        other.reload()
        before = rules(), address("docker0"), other.attrs["State"]
        started = time.monotonic()
        found = engine.find(state)
        took = time.monotonic() - started
        try:
            assert found.private
            assert took < 60
            with (
                contextlib.closing(running(found.host)) as client,
                socket.create_server((found.gateway, 0)) as listener,
            ):
                # somebody listens here: the hub, the example's repository
                words = ["python3", "-c", PROGRAM, found.gateway, str(listener.getsockname()[1])]
                asking = client.containers.run(IMAGE, [*words, mirror()], detach=True)
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"this machine")
                assert asking.wait(timeout=60)["StatusCode"] == 0, asking.logs().decode()
                assert asking.logs().decode().split("\n")[:2] == ["this machine", "200"]
                client.containers.run(IMAGE, ["sleep", "300"], detach=True, ports={"1/tcp": None})
            during = rules(), address("docker0")
        finally:
            found.stop()
        other.reload()
        assert during == before[:2]
        assert (rules(), address("docker0"), other.attrs["State"]) == before
    assert left(state) == NOTHING


def test_one_that_is_killed_with_its_containers_running_is_cleared_away_at_the_next_start(state):
    found = engine.find(state)
    with contextlib.closing(running(found.host)) as client:
        client.containers.run(IMAGE, ["sleep", "300"], detach=True)
    # nobody gets a chance to clear up, as with a machine that is switched off
    for process in [found._keeper.pid, *leftovers.processes(state.run / "exec", state.engine)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    found._keeper.wait(10)
    again = engine.find(state)
    try:
        assert again.gateway == found.gateway
        with contextlib.closing(docker.DockerClient(again.host)) as client:
            assert client.images.get(IMAGE)
            assert client.containers.list() == []
    finally:
        again.stop()
    assert left(state) == NOTHING


def test_it_ends_with_the_demo_that_is_killed(state):
    found = engine.find(state)
    keeper = found._keeper
    # what the system does to a dead process's files
    keeper.stdin.close()
    assert keeper.wait(60) == 0
    assert left(state) == NOTHING
