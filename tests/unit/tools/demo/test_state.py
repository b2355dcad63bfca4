from __future__ import annotations

import stat
from pathlib import Path

from tools.demo.state import State


def test_nothing_is_made_until_something_is_kept(tmp_path):
    state = State(tmp_path / "demo")
    assert state.recall("subnet") is None
    assert state.engine.parent == state.packages.parent == state.folder
    assert not state.folder.exists()


def test_what_is_remembered_is_there_for_the_next_start_and_for_no_other_user(tmp_path):
    folder = tmp_path / "demo"
    State(folder).remember(subnet="172.30.0.0/24", private=True)
    State(folder).remember(private=None)
    assert State(folder).recall("subnet") == "172.30.0.0/24"
    assert State(folder).recall("private") is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_record_that_was_cut_off_is_as_good_as_none(tmp_path):
    state = State(tmp_path)
    (tmp_path / "record.json").write_text('{"subnet": ')
    assert state.recall("subnet") is None


def test_the_run_folder_is_short_and_the_same_at_each_start(tmp_path):
    folder = tmp_path / ("long" * 40)
    run = State(folder).run
    try:
        assert len(str(run / "docker.sock")) < 107
        assert State(folder).run == run
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
    finally:
        run.rmdir()


def test_a_run_folder_that_others_may_write_to_is_not_used_again(tmp_path):
    planted = tmp_path / "planted"
    planted.mkdir()
    planted.chmod(0o777)
    state = State(tmp_path / "demo")
    state.remember(run=str(planted))
    run = state.run
    try:
        assert run != planted
        assert Path(state.recall("run")) == run
    finally:
        run.rmdir()
