from __future__ import annotations

from pathlib import Path

import pytest

from tools.demo import engine
from tools.demo.state import State, Unusable


def bridge(*pools: dict[str, str]) -> dict[str, object]:
    return {"Name": "bridge", "IPAM": {"Config": list(pools)}}


@pytest.mark.parametrize(
    ("pools", "address"),
    [
        ([{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}], "172.17.0.1"),
        ([{"Subnet": "172.31.0.1/16", "Gateway": "172.31.0.1"}], "172.31.0.1"),
        ([{"Subnet": "172.17.0.0/16"}], "172.17.0.1"),
        ([{"Subnet": "fd00::/64", "Gateway": "fd00::1"}, {"Subnet": "10.1.0.0/24"}], "10.1.0.1"),
        ([], None),
    ],
)
def test_a_bridges_address_is_found(pools, address):
    assert engine.bridge_address(bridge(*pools)) == address


def test_a_bridges_name_fits_and_belongs_to_one_folder():
    one, other = (engine.bridge_name(Path(f"/srv/{name}/.demo")) for name in "ab")
    assert len(one) <= 15
    assert one != other
    assert one == engine.bridge_name(Path("/srv/a/.demo"))


def test_an_engine_that_was_named_and_does_not_answer_is_no_reason_to_take_another(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    state = State(tmp_path / "demo")
    with pytest.raises(Unusable, match="DOCKER_HOST"):
        engine.existing()
    assert "DOCKER_HOST" in (engine.possible(state) or "")
    assert not state.folder.exists()


def test_without_an_engine_and_without_root_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(engine, "DOCKERS_OWN", str(tmp_path / "nothing.sock"))
    monkeypatch.setattr(engine.machine, "has_root", lambda: False)
    state = State(tmp_path / "demo")
    reason = engine.possible(state)
    assert reason is not None
    assert "docker.io" in reason
    assert "\n" not in reason
    assert not state.folder.exists()
