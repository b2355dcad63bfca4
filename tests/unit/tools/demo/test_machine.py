from __future__ import annotations

from tools.demo import machine
from tools.demo.state import State


def test_installed_is_what_dpkg_has_unpacked_and_configured():
    listed = "ii  git\nrc  nano\nii  libc6:amd64\nun  vim\n\n"
    assert machine.parse_installed(listed) == {"git", "libc6:amd64"}


def test_available_is_what_has_a_candidate():
    policy = (
        "docker-buildx:\n  Installed: (none)\n  Candidate: 0.13.1\n  Version table:\n"
        "     0.13.1 500\n"
        "docker-cli:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n"
    )
    assert machine.parse_available(policy) == {"docker-buildx"}


def test_what_was_installed_is_noted_beside_what_was_noted_before(tmp_path):
    state = State(tmp_path / "demo")
    machine.note(state, {"git", "docker.io"})
    machine.note(state, {"mmdebstrap", "git"})
    assert state.packages.read_text().split() == ["docker.io", "git", "mmdebstrap"]


def test_nothing_installed_makes_no_folder(tmp_path):
    state = State(tmp_path / "demo")
    machine.note(state, set())
    assert not state.folder.exists()
