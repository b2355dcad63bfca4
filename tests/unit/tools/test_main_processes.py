"""Processes are ended with all that they have started, whoever was killed before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tools.demo import family
from tools.demo.family import Process
from tools.demo.processes import Processes, end_left
from tools.demo.state import Unusable

LASTING = ["sleep", "600"]
#: Starts another process in a session of its own, and ends it when it is asked to end itself.
PARENT = """
import signal, subprocess, sys
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
def end(*_):
    child.kill()
    print("in good order", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
child.wait()
"""
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


def never():
    return False


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "processes.json"


@pytest.fixture
def processes(memory):
    found = Processes(memory)
    yield found
    for child in list(found.children):
        found.end(child, 0, never)


@pytest.fixture
def start(processes, tmp_path):
    def start_one(name, *words):
        return processes.start(name, words, tmp_path / f"{name}.log", env=dict(os.environ))

    return start_one


@pytest.fixture
def start_parent(processes, start):
    def start_one(program=PARENT):
        child = start("parent", sys.executable, "-c", program)
        processes.wait_for(child, lambda: "ready" in child.log.read_text(), seconds=10)
        processes.remember()
        return child

    return start_one


def living(found):
    return {each for each in found if each.lives()}


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_process_ends_in_its_own_way(processes, start_parent, memory):
    child = start_parent()
    everyone = family.read(memory)
    assert len(living(everyone)) == 2
    processes.end(child, 10, never)
    assert "in good order" in child.log.read_text()
    assert living(everyone) == set()
    assert family.read(memory) == set()


def test_one_that_does_not_listen_is_killed_at_once_where_somebody_is_in_a_hurry(
    processes, start_parent
):
    child = start_parent(DEAF)
    began = time.monotonic()
    processes.end(child, 60, lambda: True)
    assert child.handle.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 10


def test_one_that_was_killed_leaves_nobody(processes, start, start_parent, memory):
    other, child = start("other", *LASTING), start_parent()
    everyone = family.read(memory)
    assert len(everyone) == 3
    child.handle.kill()
    child.handle.wait()
    with pytest.raises(Unusable, match=r"parent ended by itself \(signal 9\); its log is .*log"):
        processes.check()
    began = time.monotonic()
    processes.end(child, 60, never)
    assert time.monotonic() - began < 10, "nobody waits for whom nobody asked"
    assert {each.pid for each in living(everyone)} == {other.handle.pid}


def test_what_a_killed_demo_has_left_is_ended_in_good_order(processes, start_parent, memory):
    child = start_parent()
    everyone = family.read(memory)
    # here the demo would be killed; its child is nobody's to wait for
    processes.children.clear()
    assert end_left(memory) is True
    assert child.handle.wait(10) == 0
    assert "in good order" in child.log.read_text()
    assert living(everyone) == set()
    assert not memory.exists()
    assert end_left(memory) is False


def test_a_pid_that_another_has_now_is_left_alone(memory):
    with subprocess.Popen(LASTING) as other:
        now = family.identify(other.pid)
        assert now is not None
        assert now.lives()
        earlier = Process(other.pid, now.started + "0")
        family.write(memory, [earlier])
        assert end_left(memory) is False
        assert now.lives()
        other.kill()
    assert not now.lives()
    assert family.identify(other.pid) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[["x", 1]]', "\x00"])
def test_a_memory_that_is_broken_is_none(memory, text):
    memory.write_text(text)
    assert family.read(memory) == set()
    assert end_left(memory) is False


def test_an_answer_that_does_not_come_is_told_with_the_log(processes, start):
    child = start("slow", *LASTING)
    with pytest.raises(Unusable, match=r"slow does not answer after 0 s; its log is .*slow\.log"):
        processes.wait_for(child, never, seconds=0)


def test_an_end_before_the_answer_is_told(processes, start):
    child = start("short", "false")
    with pytest.raises(Unusable, match=r"short ended by itself \(exit code 1\)"):
        processes.wait_for(child, never, seconds=10)


def test_a_program_that_is_missing_is_told(start):
    with pytest.raises(Unusable, match="Cannot start absent: No such file"):
        start("absent", "/nowhere/program")


def test_what_a_terminal_sends_does_not_reach_them(start):
    child = start("apart", *LASTING)
    assert os.getsid(child.handle.pid) != os.getsid(0)
    assert os.getpgid(child.handle.pid) != os.getpgid(0)


def test_zombies_do_not_live():
    with subprocess.Popen(["true"]) as over:
        wait_until(lambda: family.identify(over.pid) is None)
        assert over.poll() == 0
