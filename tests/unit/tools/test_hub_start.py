"""What the example's servers do before they start: fill the home, and start in any case."""

from __future__ import annotations

import ast
import os
import subprocess

import pytest

from tools.demo.state import CLONE

SPEC = "imagebuilder/org-repo-0123456789ab@sha256:" + "0" * 64


def program():
    """``START``, which is written into the configuration as it stands."""
    tree = ast.parse((CLONE / "setup_ui_example.py").read_text("utf-8"))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "START"
    )
    return ast.literal_eval(found)


class Container:
    """Folders that stand for an image's, and a server that tells how it was started."""

    def __init__(self, folder):
        self.repo, self.home = folder / "srv repo", folder / "home"
        self.home.mkdir()
        self.programs = folder / "bin"
        self.programs.mkdir()
        server = self.programs / "jupyterhub-singleuser"
        server.write_text('#!/bin/sh\necho "${JUPYTERHUB_DEFAULT_URL:-none}"\nprintf "[%s]" "$@"\n')
        server.chmod(0o755)

    def start(self, spec=SPEC, *arguments):
        text = program()
        assert "/srv/repo" in text
        text = text.replace("[ -d /srv/repo ]", f'[ -d "{self.repo}" ]')
        text = text.replace("/srv/repo/.", f'"{self.repo}"/.').replace(
            "/home/jovyan", str(self.home)
        )
        done = subprocess.run(
            ["sh", "-c", text, "jupyterhub-singleuser", *arguments],
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "JUPYTER_IMAGE_SPEC": spec},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.partition("\n")

    def files(self):
        return {
            str(path.relative_to(self.home)): path.read_text()
            for path in self.home.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def container(tmp_path):
    return Container(tmp_path)


@pytest.fixture
def filled(container):
    (container.repo / "sub").mkdir(parents=True)
    (container.repo / "a b.txt").write_text("theirs")
    (container.repo / ".hidden").write_text("theirs")
    (container.repo / "sub" / "c").write_text("theirs")
    return container


def test_an_image_without_files_just_starts(container):
    assert container.start(SPEC, "--a=b c", "") == ("none", "\n", "[--a=b c][]")
    assert container.files() == {}


@pytest.mark.parametrize(
    ("spec", "folder"),
    [
        (SPEC, "org-repo"),
        ("registry.test:5000/team/org-repo-0123456789ab@sha256:00", "org-repo"),
        ("imagebuilder/x-0123456789ab@sha256:00", "x"),
        ("registry.test:5000/team/image:tag-1", "image"),
    ],
)
def test_files_land_in_the_repository_s_own_folder(filled, spec, folder):
    url, _, _ = filled.start(spec)
    assert url == f"/lab/tree/{folder}"
    assert filled.files() == {
        f"{folder}/a b.txt": "theirs",
        f"{folder}/.hidden": "theirs",
        f"{folder}/sub/c": "theirs",
    }


def test_what_is_there_is_never_overwritten_and_what_is_new_is_added(filled):
    filled.start()
    mine = filled.home / "org-repo" / "a b.txt"
    mine.write_text("mine")
    (filled.repo / "a b.txt").write_text("newer")
    (filled.repo / "sub" / "d").write_text("newer")
    filled.start()
    files = filled.files()
    assert files["org-repo/a b.txt"] == "mine"
    assert files["org-repo/sub/d"] == "newer"


def test_a_home_that_has_a_file_of_that_name_does_not_keep_the_server_from_starting(filled):
    (filled.home / "org-repo").write_text("a file")
    assert filled.start()[0] == "none"
    assert filled.files() == {"org-repo": "a file"}
