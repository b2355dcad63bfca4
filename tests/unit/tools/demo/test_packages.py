from __future__ import annotations

from tools.demo import packages


class Apt:
    """Packages and what each needs directly."""

    def __init__(self, **needs: set[str]) -> None:
        self._needs = needs

    def needs(self, names: set[str]) -> set[str]:
        found = set(names)
        while more := {need for name in found for need in self._needs.get(name, ())} - found:
            found |= more
        return found

    def goes(self, names: set[str]) -> set[str]:
        return {name for name in self._needs if self.needs({name}) & names} | names

    def plan(self, ours: set[str], kept: set[str] = frozenset()) -> set[str]:
        return packages.plan(ours, set(kept), goes=self.goes, needs=self.needs)


def test_what_only_the_demo_needs_goes():
    apt = Apt(docker={"runc"}, runc=set(), bash=set())
    assert apt.plan({"docker", "runc"}) == {"docker", "runc"}


def test_what_another_package_needs_by_now_stays_with_all_that_it_needs():
    apt = Apt(docker={"runc"}, runc={"seccomp"}, seccomp=set(), podman={"runc"}, mmd=set())
    assert apt.plan({"docker", "runc", "seccomp", "mmd"}) == {"docker", "mmd"}


def test_what_other_environments_of_the_clone_run_on_stays():
    apt = Apt(nodejs={"libnode"}, libnode=set(), docker=set())
    assert apt.plan({"nodejs", "libnode", "docker"}, {"nodejs"}) == {"docker"}


def test_where_apt_cannot_be_satisfied_nothing_goes():
    removed = packages.plan({"a"}, set(), goes=lambda _: {"a", "b"}, needs=lambda names: names)
    assert removed == set()


def test_a_simulation_is_read():
    said = "NOTE: This is only a simulation!\nPurg docker.io [20.10]\nRemv runc:amd64 [1.1]\n"
    assert packages.parse_simulation(said) == {"docker.io", "runc:amd64"}


def test_dependencies_are_read():
    said = "podman\n  Depends: runc\n    crun\nrunc\n  Depends: <virtual>\n<virtual>\n    crun\n"
    assert packages.parse_depends(said) == {"podman", "runc"}
