from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import pytest
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner
from tornado.web import HTTPError
from traitlets import Unicode
from traitlets.config import Config

from jupyterhub_imagebuilder.hub.mixing import mixed
from jupyterhub_imagebuilder.hub.shared import HubSide

from .fakes import BUILT_EVENT, COMMIT, OPEN, PINNED, FakeService, lines
from .test_profile import ADMINS
from .test_spawner import SAVED, TEXT, Session


class WithImage(LocalProcessSpawner):
    """Starts nothing; what it would is seen."""

    image = Unicode("default/image:1", config=True)
    started = None

    async def start(self):
        self.started = self.image
        return "http://127.0.0.1:1"


class Process(SimpleLocalProcessSpawner):
    started = None

    async def start(self):
        self.started = dict(self.environment)
        return "http://127.0.0.1:1"


@pytest.fixture
def service():
    return FakeService()


@pytest.fixture
def make(service):
    def make_spawner(base, options=None, **config):
        side = HubSide(lambda base_url: None, lambda: "imagebuilder")
        side.client = service
        c = Config({"ImageBuilder": {"image_prefix": "registry.test/team/"}})
        for name, value in config.items():
            c[base.__name__][name] = value
        user = SimpleNamespace(name="alice", admin=False, groups=[], db=Session())
        user.settings = {"services": {"imagebuilder": object()}}
        spawner = type("Spawner", mixed(base), {"hub_side": side})(
            config=c,
            user=user,
            orm_spawner=SimpleNamespace(name="", user_options=options, server=None),
            user_options=options or {},
        )
        spawner._spawn_pending = True
        return spawner

    return make_spawner


async def spawn(spawner):
    """JupyterHub's part of a start."""
    spawner.clear_state()
    await spawner.run_pre_spawn_hook()
    await spawner.start()
    return spawner.started


async def test_an_image_trait_gets_the_digest(make):
    spawner = make(WithImage, {TEXT: "git://h/r"})
    assert await spawn(spawner) == PINNED
    assert spawner.user_options == {TEXT: "git://h/r", SAVED: COMMIT}
    assert await spawn(make(WithImage)) == "default/image:1"


async def test_the_stock_form_is_rendered_and_read(make):
    spawner = make(WithImage, profile_list=ADMINS)
    form = await spawner.get_options_form()
    assert "Build from a repository" in form
    assert "profile-option-only-choice--image--unlisted-choice" in form
    fields = {
        "profile": ["only-choice"],
        "profile-option-only-choice--image--unlisted-choice": ["git://h/r"],
    }
    options = spawner.options_from_form(fields)
    assert options == {"profile": "only-choice", TEXT: "git://h/r"}
    with pytest.raises(HTTPError, match="A link cannot start a build"):
        await spawner.options_from_query(fields)


async def test_one_list_serves_every_spawner(make):
    spawner = make(WithImage)
    config = Config({"ImageBuilderSpawner": {"profile_list": ADMINS}})
    spawner.update_config(config)
    assert "SciPy" in await spawner.get_options_form()


@pytest.mark.parametrize("base", [WithImage, Process])
@pytest.mark.parametrize(
    "options",
    [{TEXT: "registry.test/team/x:tag"}, {TEXT: "no-tag"}, {TEXT: 7}, {"image": "x"}, {"image": 5}],
)
async def test_the_gate_holds_on_a_bare_start(make, base, options):
    """Whether the hook ran or not: a start passes it."""
    for profiles in (ADMINS, []):
        spawner = make(base, options, profile_list=profiles)
        with pytest.raises(HTTPError) as caught:
            await spawn(spawner)
        assert caught.value.status_code == 400
        assert spawner.started is None
        spawner = make(base, options, profile_list=profiles)
        with pytest.raises((HTTPError, KeyError, ValueError)):
            await spawner.start()
        assert spawner.started is None


async def test_an_image_of_ours_is_vouched_for(make, service):
    assert await spawn(make(WithImage, {TEXT: PINNED}, profile_list=ADMINS)) == PINNED
    assert [image for image, _ in service.vouched] == [PINNED]


async def test_a_process_is_told_its_image(make):
    environment = {"MINE": "1"}
    started = await spawn(make(Process, {TEXT: "git://h/r"}, environment=environment))
    assert started == {"MINE": "1", "JUPYTER_IMAGE_SPEC": PINNED}
    assert await spawn(make(Process, environment=environment)) == environment


async def test_progress_shows_the_log_and_what_becomes_of_the_image(make, service):
    service.answers = [OPEN]
    service.scripts = [[*lines("Step 1"), BUILT_EVENT]]
    spawner = make(Process, {TEXT: "git://h/r"})
    spawner.progress_interval = 0.05
    spawner.clear_state()

    async def read():
        return [event["message"] async for event in spawner.progress()]

    page = asyncio.create_task(read())
    await spawner.run_pre_spawn_hook()
    await spawner.start()
    messages = await page
    assert messages[0].startswith("Step 1")
    assert messages[-1].startswith(f"The image is {PINNED}; this hub's servers are processes")


async def test_what_a_profile_sets_in_vain_is_logged(make, caplog):
    profile = {"display_name": "A", "kubespawner_override": {"cmd": ["x"], "node_selector": {}}}
    spawner = make(Process, profile_list=[profile])
    spawner.log.addHandler(caplog.handler)
    try:
        await spawn(spawner)
    finally:
        spawner.log.removeHandler(caplog.handler)
    assert spawner.cmd == ["x"]
    assert not hasattr(spawner, "node_selector")
    assert "A profile sets node_selector, which Process does not have" in caplog.text


async def test_jupyterhub_is_told_that_options_are_handled(make, caplog):
    """Else it warns, at each start, of options that it believes nobody reads."""
    for config in ({}, {"apply_user_options": {"image": "image"}}):
        spawner = make(WithImage, {TEXT: "git://h/r"}, **config)
        if not hasattr(spawner, "_run_apply_user_options"):  # before JupyterHub 5.3
            assert await spawn(spawner) == PINNED
            continue
        spawner.log.addHandler(caplog.handler)
        try:
            await spawner._run_apply_user_options(spawner.user_options)
        finally:
            spawner.log.removeHandler(caplog.handler)
    assert "unhandled" not in caplog.text


async def test_a_start_that_is_cancelled_ends(make):
    class Stuck(Process):
        async def start(self):
            await asyncio.Event().wait()

    spawner = make(Stuck, {TEXT: "git://h/r"})
    await spawner.run_pre_spawn_hook()
    start = asyncio.create_task(spawner.start())
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start


def test_no_cluster_is_asked_for(make, monkeypatch):
    """KubeSpawner reads a kubeconfig where one is made; here only its functions are used."""

    def load(**_options):
        raise AssertionError("a cluster was asked for")

    monkeypatch.setattr(sys.modules["kubespawner.spawner"], "load_config", load)
    assert make(Process).profile_list == []
