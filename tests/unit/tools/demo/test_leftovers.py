from __future__ import annotations

from pathlib import Path

import pytest

from tools.demo import leftovers

RUN = Path("/run/imagebuilder-demo-x/exec")
ID = "b" * 64


@pytest.mark.parametrize(
    ("arguments", "group"),
    [
        (f"dockerd\0--exec-root={RUN}\0--iptables=false\0", ""),
        (f"containerd-shim\0-address\0{RUN}/containerd/containerd.sock\0", ""),
        ("jupyterhub-singleuser\0", f"12:pids:/docker/{ID}\n0::/\n"),
        ("sh\0", f"0::/system.slice/docker-{ID}.scope\n"),
    ],
)
def test_processes_of_the_engine_are_known(arguments, group):
    assert leftovers.belongs(arguments.encode(), group, RUN, {ID})


@pytest.mark.parametrize(
    ("arguments", "group"),
    [
        ("dockerd\0--exec-root=/run/docker\0", "0::/system.slice/docker.service\n"),
        ("jupyterhub-singleuser\0", f"0::/docker/{'c' * 64}\n"),
        # the keeper and the demo itself name the folder above
        (f"python\0-m\0tools.demo.keeper\0run\0ib\0-\0{RUN.parent}\0", ""),
        (f"dockerd\0--exec-root={RUN}-of-another\0", ""),
    ],
)
def test_processes_of_others_are_left(arguments, group):
    assert not leftovers.belongs(arguments.encode(), group, RUN, {ID})


def test_mounts_at_and_below_a_folder_come_innermost_first():
    mounts = (
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        "5 1 8:1 /d /srv/d\\040e/engine rw - ext4 /dev/a rw\n"
        "2 1 0:2 / /srv/d\\040e/engine/a rw - overlay overlay rw\n"
        "3 2 0:3 / /srv/d\\040e/engine/a/b rw shared:1 - tmpfs tmpfs rw\n"
        "4 1 0:4 / /srv/d\\040e/engine-of-another rw - tmpfs tmpfs rw\n"
    )
    assert leftovers.below(mounts, Path("/srv/d e/engine")) == [
        "/srv/d e/engine/a/b",
        "/srv/d e/engine/a",
        "/srv/d e/engine",
    ]


def test_a_path_may_have_any_letters():
    name = "ü".encode().decode("latin-1")  # as the kernel's bytes, read one by one
    mounts = f"2 1 0:2 / /srv/{name}/x rw - tmpfs tmpfs rw\n".encode("latin-1").decode()
    assert leftovers.below(mounts, Path("/srv/ü")) == ["/srv/ü/x"]


def test_what_an_engine_made_outside_of_its_folders_goes_and_nothing_else(tmp_path):
    note = tmp_path / "outside.json"
    there, made, used = (tmp_path / name for name in ("there", "made", "used"))
    there.mkdir()
    leftovers.note_missing(note, [made / "key", made, used, there])
    for folder in (made, used):
        folder.mkdir()
    (made / "key").write_text("")
    (used / "of-another").write_text("")
    # a second start knows no more what was there before the first
    leftovers.note_missing(note, [])
    leftovers.remove_noted(note)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside.json", "there", "used"]


def test_without_a_note_nothing_is_removed(tmp_path):
    leftovers.remove_noted(tmp_path / "outside.json")
    (tmp_path / "outside.json").write_text("{")
    leftovers.remove_noted(tmp_path / "outside.json")
    assert [path.name for path in tmp_path.iterdir()] == ["outside.json"]
