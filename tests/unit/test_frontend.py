"""What the front end takes from the package, and the package from the front end."""

from __future__ import annotations

import json
from pathlib import Path

from jupyterhub_imagebuilder.errors import Reason

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_the_front_end_has_advice_for_every_reason():
    """Its own tests read the list, so that a new reason fails there, too."""
    listed = json.loads((FRONTEND / "src/core/reasons.json").read_text(encoding="utf-8"))
    assert listed == [reason.value for reason in Reason]


def test_the_lock_names_no_registry():
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert [name for name, each in packages.items() if "resolved" in each] == []
    assert [name for name, each in packages.items() if "version" not in each] == []


def test_the_lock_has_every_platform():
    """Npm leaves a platform out where the registry lacks it, and then refuses the lock there."""
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    optional = {
        dependency
        for each in lock.values()
        for dependency in each.get("optionalDependencies", {})
        if f"node_modules/{dependency}" not in lock
    }
    assert optional == set()


def test_the_lock_is_that_of_the_package():
    package = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        assert lock[kind] == package[kind]


def test_what_the_demo_installs_is_small():
    """The tools of tests and checks are for those who work on it."""
    package = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))
    assert set(package["dependencies"]) == {"preact", "vite"}
