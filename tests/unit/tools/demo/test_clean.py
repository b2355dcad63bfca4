from __future__ import annotations

import fcntl

import pytest

from tools.demo import clean, engine, making, packages
from tools.demo.state import State


class Engine:
    """An engine's things, as far as the clean-up asks for them."""

    def __init__(self) -> None:
        self.images = {"imagebuilder/example:1": True, making.BASE: True, making.ROOT: True}
        self.volumes = ["imagebuilder-home-demo", "imagebuilder-home-older", "data"]
        self.used: set[str] = set()
        self.up = True
        self.removed: list[str] = []

    def answers(self) -> bool:
        return self.up

    def get(self, path: str, **query: object):
        if path == "/volumes":
            return {"Volumes": [{"Name": name} for name in self.volumes]}
        if path == "/containers/json":
            return []
        made = "reference" in query["filters"]
        names = [name for name in self.images if name.startswith(making.PREFIX) is made]
        return [{"Id": name, "RepoTags": [name]} for name in names if name != "pulled:1"]

    def has(self, path: str) -> bool:
        return path.split("/", 2)[2].removesuffix("/json") in self.images

    def delete(self, path: str, **_: object) -> bool:
        name = path.split("/", 2)[2]
        if name in self.used:
            return False
        self.removed.append(name)
        self.images.pop(name, None)
        return True


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A demo that has used somebody's engine; its clone has no environment."""
    found = Engine()
    monkeypatch.setattr(clean, "Api", lambda _: found)
    monkeypatch.setattr("tools.demo.containers.Api", lambda _: found)
    monkeypatch.setattr(clean, "CLONE", tmp_path)
    monkeypatch.setattr(engine, "remove_private", lambda _: True)
    monkeypatch.setattr(packages, "remove", lambda _: [])
    found.images["pulled:1"] = True
    found.state = State(tmp_path / "demo")
    before = {"volumes": ["imagebuilder-home-older", "data"], "pulled": ["pulled:1"]}
    found.state.remember(engines={"unix:///somebodys": before})
    monkeypatch.setenv("DEMO_DIR", str(found.state.folder))
    return found


def test_all_of_the_demos_goes_and_what_was_there_before_stays(world, tmp_path):
    (tmp_path / ".venv-demo").mkdir()
    assert clean.main() == 0
    assert world.removed == [
        "imagebuilder/example:1",
        making.BASE,
        making.ROOT,
        "pulled:1",
        "imagebuilder-home-demo",
    ]
    assert not world.state.folder.exists()
    assert not (tmp_path / ".venv-demo").exists()


@pytest.mark.parametrize("tools", [False, True])
def test_what_the_demo_has_built_goes_but_for_somebody_who_works_there(world, tmp_path, tools):
    modules = tmp_path / "frontend" / "node_modules"
    static = tmp_path / "jupyterhub_imagebuilder" / "static"
    for folder in (modules, static):
        folder.mkdir(parents=True)
    if tools:
        (modules / ".all").touch()
    assert clean.main() == 0
    assert [folder.exists() for folder in (modules, static)] == [tools, tools]


def test_what_is_used_by_others_stays_and_is_named(world, capsys):
    world.used = {"pulled:1", "imagebuilder-home-demo"}
    assert clean.main() == 1
    said = capsys.readouterr().out
    assert "left: the image pulled:1" in said
    assert "left: the volume imagebuilder-home-demo" in said
    assert world.state.recall("engines")


def test_an_engine_that_is_away_is_not_forgotten(world, capsys):
    world.up = False
    assert clean.main() == 1
    assert "does not answer" in capsys.readouterr().out
    assert world.state.recall("engines")


def test_a_running_demo_is_left_alone(world, capsys):
    with (world.state.hub / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clean.main() == 1
    assert "running" in capsys.readouterr().out
    assert world.removed == []


def test_where_nothing_was_made_nothing_is(world, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DEMO_DIR", str(tmp_path / "other"))
    assert clean.main() == 0
    assert "nothing" in capsys.readouterr().out
    assert not (tmp_path / "other").exists()
