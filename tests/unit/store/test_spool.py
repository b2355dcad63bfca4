from __future__ import annotations

import os
import stat

import pytest

from jupyterhub_imagebuilder.store import spool as module
from jupyterhub_imagebuilder.store.fold import Write
from jupyterhub_imagebuilder.store.spool import Spool
from tests.contract.store.samples import built, failed, page, record

WRITES = [
    Write.save(record(message="\0\ud800 kept")),
    Write("build-1", "001", page(0, 3, "mark")),
    Write("build-1", "001", page(3, 9)),
    Write.save(failed(2, owners=("ann", "ben"))),
]


def drain(spool, count=100):
    return [write for batch in spool.batches(count, 10**6) for write in batch]


def test_what_was_added_comes_out_in_order(tmp_path):
    spool = Spool(tmp_path / "new" / "spool", 10**6)
    assert spool.empty
    assert spool.add(WRITES[:1]) == []
    assert spool.add(WRITES[1:]) == []
    assert not spool.empty
    found = drain(spool, count=2)
    assert found[1:] == WRITES[1:]
    assert found[0].content.message == "\\x00\\ud800 kept"
    assert spool.empty
    assert list((tmp_path / "new" / "spool").iterdir()) == []


def test_only_the_owner_can_read_it(tmp_path):
    Spool(tmp_path / "spool", 10**6).add(WRITES)
    (file,) = (tmp_path / "spool").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_is_not_taken_stays(tmp_path):
    spool = Spool(tmp_path, 10**6)
    spool.add(WRITES)
    batches = spool.batches(1, 10**6)
    assert next(batches)[0].build_id == "build-1"
    batches.close()  # the database went away
    assert len(drain(spool)) == len(WRITES)


def test_the_next_process_finds_it(tmp_path):
    for number in range(2):
        before = Spool(tmp_path, 10**6)
        before.add([Write.save(record(number))])
        before.close()
    spool = Spool(tmp_path, 10**6)
    spool.find()
    spool.add([Write.save(record(2))])
    assert [write.build_id for write in drain(spool)] == ["build-0", "build-1", "build-2"]


def test_a_process_that_lives_keeps_its_own(tmp_path):
    alive = Spool(tmp_path, 10**6)
    alive.add(WRITES)
    other = Spool(tmp_path, 10**6)
    other.find()
    assert other.empty
    alive.close()
    other.find()
    assert drain(other)[1:] == WRITES[1:]


@pytest.mark.parametrize("cut", [1, 5, 9, 40])
def test_a_record_that_was_cut_short_is_left_out(tmp_path, cut):
    before = Spool(tmp_path, 10**6)
    before.add(WRITES)
    before.close()
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size - cut)
    spool = Spool(tmp_path, 10**6)
    spool.find()
    assert drain(spool)[1:] == WRITES[1:-1]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_record_ends_the_file(tmp_path):
    before = Spool(tmp_path, 10**6)
    before.add(WRITES)
    before.close()
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-10] ^= 0xFF
    file.write_bytes(content)
    spool = Spool(tmp_path, 10**6)
    spool.find()
    assert len(drain(spool)) == len(WRITES) - 1


def test_a_record_that_means_nothing_does_not_hold_up_the_others(tmp_path, monkeypatch):
    spool = Spool(tmp_path, 10**6)
    with monkeypatch.context() as patch:
        patch.setattr(module.codec, "columns", lambda _: {"phase": "dreaming"})
        spool.add(WRITES[:1])
    spool.add(WRITES[1:])
    assert drain(spool) == WRITES[1:]


def test_a_full_spool_takes_states_longer_than_pages(tmp_path):
    spool = Spool(tmp_path, 4000)
    pages = [Write("build-1", "001", page(first, first + 4)) for first in range(0, 400, 4)]
    refused = spool.add(pages)
    assert 0 < len(refused) < len(pages)
    assert spool.add([Write.save(built())]) == []
    states = [Write.save(built(number)) for number in range(50)]
    assert 0 < len(spool.add(states)) < 50
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4000


def test_a_folder_that_cannot_be_written_refuses_all(tmp_path):
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool", 10**6)
    spool.find()
    assert spool.add(WRITES) == WRITES
    assert spool.empty


def test_a_disk_that_fills_leaves_whole_records(tmp_path, monkeypatch):
    spool = Spool(tmp_path, 10**6)
    spool.add(WRITES[1:2])
    real = os.write

    def half(descriptor, data):
        if len(data) > 20:
            return real(descriptor, data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        assert spool.add(WRITES[2:]) == WRITES[2:]
    assert spool.add(WRITES[3:]) == []
    assert drain(spool) == [WRITES[1], WRITES[3]]
