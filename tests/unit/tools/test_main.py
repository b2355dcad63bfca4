"""The demo's life: in which order things are made, and that all of them end."""

from __future__ import annotations

import os
import pty
import signal

import pytest

from tools.demo import __main__ as program
from tools.demo.engine import Engine
from tools.demo.images import Images
from tools.demo.signals import Signals, Stopped, nobody_listens
from tools.demo.state import State, Unusable

GATEWAY = "127.0.0.1"


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in (2, 15, 1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Parts:
    """Stand-ins for all that the demo puts together; they write down what happens to them."""

    def __init__(self, monkeypatch, folder):
        self.happened = []
        self.failing = {}
        self.watched = lambda: None
        monkeypatch.setenv("DEMO_DIR", str(folder))
        monkeypatch.setenv("DEMO_PORT", "8123")
        monkeypatch.setattr(program, "Containers", lambda host: self)
        monkeypatch.setattr(program.hub, "choose_port", self.step("port", 8123))
        monkeypatch.setattr(program.engine, "find", self.step("engine", FakeEngine(self)))
        monkeypatch.setattr(program.images, "prepare", self.step("images", Images("b", "r")))
        monkeypatch.setattr(program.repository, "make", self.step("repository", "c0ffee"))
        monkeypatch.setattr(program.repository, "serve", self.step("git", "git://x/example"))
        monkeypatch.setattr(program.hub, "start", self.step("hub", None))
        monkeypatch.setattr(program.Demo, "watch", lambda demo: self.watched())

    def step(self, name, result):
        def happen(*_):
            self.happened.append(name)
            if name in self.failing:
                raise self.failing[name]
            return result

        return happen

    def engine_answers(self):
        return True

    def remove(self):
        self.step("containers removed", 0)()


class FakeEngine(Engine):
    def __init__(self, parts):
        super().__init__("unix:///x", private=True, gateway=GATEWAY)
        self.parts = parts

    def stop(self):
        self.parts.step("engine stopped", None)()


@pytest.fixture
def parts(monkeypatch, tmp_path):
    return Parts(monkeypatch, tmp_path / "state")


MADE = ["port", "engine", "containers removed", "images", "repository", "git", "hub"]
ENDED = ["containers removed", "engine stopped"]


def raiser(error):
    def run():
        raise error

    return run


def test_it_says_where_it_is_and_ends_all_at_ctrl_c(parts, capsys):
    parts.watched = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert program.main() == 0
    assert parts.happened == MADE + ENDED
    lines = capsys.readouterr().out.splitlines()
    password = (program.default_folder() / "hub" / "password").read_text().strip()
    assert lines[1:] == [
        "demo: ready: http://127.0.0.1:8123",
        f"demo: log in as: demo   password: {password}",
        "demo: Ctrl-C stops everything; `make demo-clean` removes it",
        "demo: stopping",
        "demo: stopped; `make demo` starts it again, with all homes and images",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_are_ends_too(parts, number):
    parts.watched = lambda: os.kill(os.getpid(), number)
    assert program.main() == 0
    assert parts.happened == MADE + ENDED


def test_a_terminal_that_is_gone_keeps_nothing_from_ending(parts, monkeypatch):
    read, write = os.pipe()
    stdout = os.fdopen(write, "w")
    monkeypatch.setattr(program.sys, "stdout", stdout)

    def close_the_terminal():
        os.close(read)
        raise Stopped

    parts.watched = close_the_terminal
    assert program.main() == 0
    assert parts.happened == MADE + ENDED
    stdout.close()  # what is still in it goes nowhere


def test_a_part_that_ends_ends_the_demo(parts, capsys):
    parts.watched = raiser(Unusable("JupyterHub ended by itself."))
    assert program.main() == 1
    assert parts.happened == MADE + ENDED
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "demo: JupyterHub ended by itself.",
        "demo: stopped",
    ]


@pytest.mark.parametrize("number", range(1, len(MADE)))
def test_what_was_made_before_a_failure_ends(parts, number):
    name = MADE[number]
    parts.failing = {name: Unusable("No.")}
    assert program.main() == 1
    made, ended = parts.happened[: number + 1], parts.happened[number + 1 :]
    assert made == MADE[: number + 1]
    assert ended == (ENDED if number > 1 else [])


def test_a_port_that_is_taken_is_told_before_anything_is_made(parts, capsys):
    parts.failing = {"port": Unusable("Port 8123 is taken.")}
    assert program.main() == 1
    assert parts.happened == ["port"]
    assert capsys.readouterr().out == "demo: Port 8123 is taken.\n"


def test_what_cannot_be_stopped_does_not_keep_the_rest(parts, capsys):
    parts.watched = raiser(Stopped())
    remove, calls = parts.remove, []

    def fail_the_second_time():
        calls.append(1)
        remove()
        if len(calls) > 1:
            raise OSError("no answer")

    parts.remove = fail_the_second_time
    assert program.main() == 0
    assert parts.happened[-1] == "engine stopped"
    assert "demo: not all could be stopped: no answer" in capsys.readouterr().out


def test_a_mistake_of_ours_ends_everything_too(parts):
    parts.watched = raiser(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        program.main()
    assert parts.happened == MADE + ENDED


def test_a_second_demo_in_the_same_folder_says_so(parts, capsys):
    def second():
        assert program.main() == 1
        raise Stopped

    parts.watched = second
    assert program.main() == 0
    assert parts.happened == MADE + ENDED, "the second one made nothing"
    assert "demo: A demo runs already in " in capsys.readouterr().out


def test_an_engine_that_is_silent_for_long_ends_the_demo(tmp_path, monkeypatch):
    demo = program.Demo(State(tmp_path / "state"), Signals())
    naps = []
    monkeypatch.setattr(program.time, "monotonic", lambda: float(len(naps)))
    monkeypatch.setattr(program.time, "sleep", naps.append)
    monkeypatch.setattr(program, "nobody_listens", lambda output: False)
    with pytest.raises(Unusable, match="engine does not answer"):
        demo.watch()
    assert len(naps) == 10, "three questions, five seconds apart"


class TestSignals:
    def test_the_next_one_while_it_ends_is_a_hurry(self):
        now = [0.0]
        signals = Signals(lambda: now[0])
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
        signals.calm()
        now[0] = 0.1
        signal.raise_signal(signal.SIGTERM)
        assert not signals.hurry(), "make passes on what it has got itself"
        now[0] = 2.0
        signal.raise_signal(signal.SIGINT)
        assert signals.hurry()

    def test_the_next_one_before_is_heard_as_the_first(self):
        now = [0.0]
        Signals(lambda: now[0])
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        now[0] = 2.0
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)

    def test_nohup_is_respected(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        Signals()
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


def test_a_terminal_and_a_pipe_are_listened_to_until_they_are_closed(tmp_path):
    for here, there in (pty.openpty(), os.pipe()):
        assert not nobody_listens(there)
        os.close(here)
        assert nobody_listens(there)
        os.close(there)
    with (tmp_path / "log").open("w") as file:
        assert not nobody_listens(file.fileno())


def test_a_demo_to_which_nobody_listens_ends(tmp_path, monkeypatch):
    """As where make is the first process of a terminal that closes: it tells nobody."""
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr(program, "_OUTPUT", write)
    assert program.Demo(State(tmp_path / "state"), Signals()).watch() is None
    os.close(write)
