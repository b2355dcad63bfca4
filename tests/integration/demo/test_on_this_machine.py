"""``make demo`` beside an engine that is there: its whole life, in the order of a user's days."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest
from docker import DockerClient

from tests.integration.cluster.polling import until
from tests.integration.demo.engines import ReadyEngine, inventory
from tests.integration.demo.machine import ThisMachine, free_port
from tests.integration.demo.running import END, Demo, tell, wait_for_end
from tests.integration.demo.sources import clone_into

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.timeout(900)]
#: Seconds for a start that finds everything made.
AGAIN = 30.0


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="ibt-demo-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def engine(folder):
    found = ReadyEngine(folder / "engine")
    found.folder.mkdir()
    try:
        found.install()
        yield found
    finally:
        found.uninstall()


@pytest.fixture(scope="module")
def client(engine):
    with contextlib.closing(DockerClient(engine.host, version="auto")) as found:
        yield found


@pytest.fixture(scope="module")
def before(client):
    """What the engine had before the demo was ever started."""
    return inventory(client)


@pytest.fixture(scope="module")
def machine(folder):
    home = folder / "home"
    home.mkdir()
    (folder / "clone").mkdir()
    found = ThisMachine(clone_into(folder / "clone"), home)
    yield found
    found.end_the_rest()


@pytest.fixture(scope="module")
def demo(before, engine, machine):
    found = Demo(machine, DOCKER_HOST=engine.host, DEMO_PORT=str(free_port()))
    yield found
    # after a failure, too: it has installed packages
    if found.running:
        found.interrupt()
    wait_for_end(found.make("demo-clean"), 120)


@pytest.fixture
def running(demo):
    """The demo, ready; as an earlier test left it, or started."""
    return demo.running or demo.start()


@pytest.fixture
def visited(demo, running):
    """The demo, in which somebody has saved a file."""
    if "first" not in demo.stages:
        tell(demo.story("first"))
    return running


@pytest.fixture
def stopped(demo, running):
    """The demo, which has been ready before."""
    demo.interrupt()
    return demo


def test_a_first_start_that_is_interrupted_leaves_nothing_running(demo, machine, client):
    demo.start_halfway("image")
    until(lambda: machine.left() == [], what="the end of all processes", seconds=15)
    assert client.containers.list(all=True) == []


def test_a_newcomer_gets_from_nothing_to_a_notebook_in_jupyterlab(demo):
    running = demo.start()
    text = running.process.output()
    tell(text, f"\nready after {running.seconds:.0f} s")
    assert running.url in text
    assert "Traceback" not in text
    tell(demo.story("first"))


def test_the_home_is_there_again_after_a_stop_and_nothing_is_built(demo, visited, client):
    images, began = inventory(client)["images"], int(time.time())
    tell(demo.story("again"))
    assert inventory(client)["images"] == images
    wanted = {"type": "container", "event": "create"}
    made = client.events(since=began, until=int(time.time()) + 1, decode=True, filters=wanted)
    names = [each["Actor"]["Attributes"].get("name") for each in made]
    assert names == ["imagebuilder-demo-demo"], "one container, the server's"


def test_a_second_demo_says_that_there_is_one(demo, running):
    second = demo.make("demo", DEMO_PORT=str(free_port()))
    assert wait_for_end(second, AGAIN) != 0
    last = said(second)
    assert "already" in last
    assert "Traceback" not in second.output()
    assert running.process.code() is None
    socket.create_connection(("127.0.0.1", port(running))).close()


def test_ctrl_c_ends_everything_within_seconds(demo, running, client, machine):
    assert machine.left()
    seconds, words = demo.interrupt()
    tell(f"{seconds:.1f} s: {words}")
    assert seconds < END
    assert "demo: " in words
    assert "Traceback" not in words
    assert machine.left() == []
    assert client.containers.list(all=True) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port(running)))


def test_the_next_start_takes_seconds_and_the_home_is_still_there(demo, visited, client):
    demo.interrupt()
    images = inventory(client)["images"]
    running = demo.start(AGAIN)
    tell(f"ready after {running.seconds:.1f} s")
    tell(demo.story("tomorrow"))
    assert inventory(client)["images"] == images


def test_a_port_that_is_taken_is_named(stopped, machine):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        process = stopped.make("demo", DEMO_PORT=str(taken))
        assert wait_for_end(process, AGAIN) != 0
    last = said(process)
    assert str(taken) in last
    assert "DEMO_PORT" in last
    assert "Traceback" not in process.output()
    assert machine.left() == []


def test_after_a_crash_the_next_start_works(demo, visited, machine, client):
    crashed = visited.process
    for pid in processes(machine, "-m tools.demo"):
        os.kill(pid, signal.SIGKILL)
    wait_for_end(crashed, 15)
    demo.running = None
    again = demo.start(AGAIN)
    assert "Traceback" not in again.process.output()
    tell(again.process.output(), demo.story("tomorrow"))
    demo.interrupt()
    assert machine.left() == []
    assert client.containers.list(all=True) == []


def close_the_terminal(pid):
    os.killpg(os.getpgid(pid), signal.SIGHUP)


def end_make(pid):
    os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("how", [close_the_terminal, end_make])
def test_other_ends_are_ends_too(demo, running, machine, client, how):
    demo.end(how)
    until(lambda: machine.left() == [], what="the end of all processes", seconds=15)
    assert client.containers.list(all=True) == []


def test_cleaning_up_leaves_the_machine_as_it_was(stopped, client, machine, before):
    made = inventory(client)
    assert made["volumes"] != before["volumes"]
    tell(stopped.clean())
    assert machine.left() == []
    assert inventory(client) == before
    status = machine.start("git", "status", "--porcelain", "--ignored")
    assert wait_for_end(status, 10) == 0
    kept = [line for line in status.output().splitlines() if "__pycache__" not in line]
    assert kept == []


def test_cleaning_up_twice_is_no_mistake(demo):
    assert "Traceback" not in demo.clean()


def port(running):
    return int(running.url.rpartition(":")[2])


def said(process):
    """The last line of the demo's own."""
    lines = [line for line in process.output().splitlines() if line.startswith("demo: ")]
    assert lines, process.output()
    return lines[-1]


def processes(machine, words):
    found = [pid for pid, command in machine.processes().items() if words in command]
    assert found, machine.left()
    return found
