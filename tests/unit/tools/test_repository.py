"""The example's repository: the same commit everywhere, and somebody's own work stays."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tools.demo import repository
from tools.demo.processes import Processes
from tools.demo.state import State, Unusable

BASE = "imagebuilder-demo/base:1"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    words = ("git", *who, *words)
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8"},
        {"GIT_AUTHOR_NAME": "Somebody", "GIT_DIR": "/nowhere", "GIT_AUTHOR_DATE": "2001-01-01"},
    ],
)
def test_the_commit_follows_from_the_content_alone(tmp_path, monkeypatch, settings):
    expected = repository.make(tmp_path / "first", BASE)
    (tmp_path / ".gitconfig").write_text(
        "[commit]\ngpgsign = true\n[core]\nautocrlf = true\nhooksPath = /nowhere\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    previous = os.umask(0o077)
    try:
        assert repository.make(tmp_path / "second", BASE) == expected
    finally:
        os.umask(previous)


def test_the_dockerfile_starts_from_the_image_that_there_is(tmp_path):
    first = repository.make(tmp_path, BASE)
    recipe = tmp_path / "example" / "Dockerfile"
    assert f"\nFROM {BASE}\n" in recipe.read_text()
    assert recipe.read_text().count("FROM ") == 1
    assert repository.make(tmp_path, "other/base:2") != first
    assert "\nFROM other/base:2\n" in recipe.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["example"]


def test_what_somebody_has_committed_on_top_stays(tmp_path):
    first = repository.make(tmp_path, BASE)
    folder = tmp_path / "example"
    (folder / "mine.txt").write_text("mine")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    assert repository.make(tmp_path, BASE) == first
    assert git(folder, "log", "--format=%s").split("\n") == ["mine", "An example", ""]


def test_what_is_no_repository_any_more_is_made_anew(tmp_path):
    first = repository.make(tmp_path, BASE)
    head = tmp_path / "example" / ".git" / "HEAD"
    head.write_text("nonsense")
    assert repository.make(tmp_path, BASE) == first
    assert git(tmp_path / "example", "status", "--porcelain") == ""


def test_a_machine_without_git_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unusable, match="repository cannot be made: No such file"):
        repository.make(tmp_path / "repositories", BASE)


def test_the_notebook_needs_what_the_dockerfile_installs(tmp_path):
    repository.make(tmp_path, BASE)
    folder = tmp_path / "example"
    notebook = json.loads((folder / "welcome.ipynb").read_text())
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "import segno" in code[0]
    assert "pip install --no-cache-dir segno==" in (folder / "Dockerfile").read_text()
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_it_is_served_at_the_same_address_each_time(tmp_path):
    state = State(tmp_path / "state")
    commit = repository.make(state.repository, BASE)
    processes = Processes(tmp_path / "processes.json")
    urls = []
    for _ in range(2):
        urls.append(repository.serve(state, "127.0.0.1", processes))
        listed = git(tmp_path, "ls-remote", urls[-1], "main")
        assert listed == f"{commit}\trefs/heads/main\n"
        (child,) = processes.children
        processes.end(child, 5, lambda: False)
    assert urls[0] == urls[1]
    assert urls[0].startswith("git://127.0.0.1:")
    assert urls[0].endswith("/example")
    with pytest.raises(subprocess.CalledProcessError):
        git(tmp_path, "ls-remote", urls[0])
