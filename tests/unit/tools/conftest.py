from __future__ import annotations

import pytest

from tools.demo import state


@pytest.fixture(autouse=True)
def _no_folders_outside(monkeypatch, tmp_path_factory):
    """Folders for sockets are the test's own, and go with it."""
    monkeypatch.setattr(state, "RUN_PARENTS", (str(tmp_path_factory.mktemp("r")),))
