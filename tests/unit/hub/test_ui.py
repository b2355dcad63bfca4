from __future__ import annotations

import copy
import json
import logging
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from dockerspawner import DockerSpawner, SwarmSpawner, SystemUserSpawner
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner
from kubespawner import KubeSpawner
from traitlets import Unicode
from traitlets.config import Config

from jupyterhub_imagebuilder.hub import state
from jupyterhub_imagebuilder.hub.config_file import option, service_options
from jupyterhub_imagebuilder.hub.docker import DockerServers
from jupyterhub_imagebuilder.hub.servers import ImageServers, ProcessServers
from jupyterhub_imagebuilder.hub.spawner import ImageBuilderSpawner
from jupyterhub_imagebuilder.hub.ui import setup_ui

SCOPE = "access:services!service=imagebuilder"
ONE_MACHINE = {"executor_class": "docker", "image_prefix": "imagebuilder/"}


@pytest.fixture
def c(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    config = Config()
    config.JupyterHub.spawner_class = KubeSpawner
    config.ImageBuilder.state_dir = str(tmp_path / "state")
    return config


def applied(c, name):
    """What JupyterHub gets of an option: traitlets' own way of applying it."""
    return copy.deepcopy(option(c, "JupyterHub", name))


def service_of(c):
    (entry,) = (each for each in applied(c, "services") if "command" in each)
    return entry


def hub_spawner(c=None, ip="", *, internal_ssl=False):
    app = None if c is None else SimpleNamespace(config=c)
    hub = SimpleNamespace(ip=ip, port=8081, api_url="http://hub-name:8081/base/hub/api")
    user = SimpleNamespace(service=SimpleNamespace(app=app))
    return SimpleNamespace(hub=hub, user=user, internal_ssl=internal_ssl)


@pytest.mark.parametrize("has_pages", [True, False])
def test_the_service_entry(c, tmp_path, monkeypatch, has_pages):
    monkeypatch.setattr("jupyterhub_imagebuilder.hub.service.front_end_built", lambda: has_pages)
    setup_ui(c)
    entry = service_of(c)
    assert type(entry) is dict
    environment = entry.pop("environment")
    token = entry.pop("api_token")
    assert entry == {
        "name": "imagebuilder",
        "url": "http://127.0.0.1:8586",
        "command": [sys.executable, "-m", "jupyterhub_imagebuilder"],
        "display": has_pages,
        "oauth_no_confirm": True,
    }
    assert len(token) == 64
    assert {"IMAGEBUILDER_CONFIG_FILE", "JUPYTERHUB_API_URL"} <= set(environment)
    # JupyterHub 6 keeps it in its database, and warns of what is no data
    assert set(map(type, json.loads(json.dumps(copy.deepcopy(environment))).values())) == {str}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "service-token").stat().st_mode) == 0o600


def test_the_token_outlives_the_process(c):
    setup_ui(c)
    first = service_of(c)["api_token"]
    state.state_dir.cache_clear()
    assert service_of(c)["api_token"] == first


def test_a_token_file_that_others_can_read_is_closed_and_a_broken_one_replaced(tmp_path):
    path = tmp_path / "service-token"
    path.write_text("short")
    path.chmod(0o644)
    token = state.service_token(tmp_path)
    assert len(token) == 64
    assert state.service_token(tmp_path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_options_may_come_behind_the_call(c):
    c.JupyterHub.load_roles = []
    setup_ui(c)
    c.ImageBuilder.service_name = "binder"
    c.ImageBuilder.port = 9999
    c.ImageBuilder.image_prefix = "registry.test/"
    c.JupyterHub.services.append({"name": "other", "api_token": "x" * 32})
    c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", "shares"]})
    entry = service_of(c)
    assert (entry["name"], entry["url"]) == ("binder", "http://127.0.0.1:9999")
    assert [each["name"] for each in applied(c, "services")] == ["binder", "other"]
    assert applied(c, "load_roles") == [
        {"name": "user", "scopes": ["self", "shares", "access:services!service=binder"]}
    ]


def test_what_lazy_values_hold_is_kept(c):
    c.JupyterHub.services.append({"name": "culler"})
    c.JupyterHub.load_roles.append({"name": "culls", "services": ["culler"]})
    setup_ui(c)
    assert [each["name"] for each in applied(c, "services")] == ["culler", "imagebuilder"]
    assert applied(c, "load_roles") == [
        {"name": "culls", "services": ["culler"]},
        {"name": "user", "scopes": ["self", SCOPE]},
    ]


def test_the_scope_is_merged_into_the_admins_user_role(c):
    c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self"], "description": "all"}]
    before = copy.deepcopy(c.JupyterHub.load_roles)
    setup_ui(c)
    assert applied(c, "load_roles") == [
        {"name": "user", "scopes": ["self", SCOPE], "description": "all"}
    ]
    assert before == [{"name": "user", "scopes": ["self"], "description": "all"}]


def test_a_second_call_changes_nothing(c):
    setup_ui(c)
    cls, services, roles = (
        c.JupyterHub.spawner_class,
        applied(c, "services"),
        applied(c, "load_roles"),
    )
    setup_ui(c)
    assert c.JupyterHub.spawner_class is cls
    assert len(applied(c, "services")) == len(services) == 1
    assert applied(c, "load_roles") == roles


class AdminsSpawner(KubeSpawner):
    """As an admin derives one."""


class Mixed(ImageBuilderSpawner, KubeSpawner):
    """As an admin mixes it by hand."""


@pytest.mark.parametrize(
    "configured",
    [
        KubeSpawner,
        "kubespawner.KubeSpawner",
        AdminsSpawner,
        f"{__name__}.AdminsSpawner",
        Mixed,
    ],
)
def test_the_spawner_is_derived_from_the_configured_one(c, configured):
    c.JupyterHub.spawner_class = configured
    setup_ui(c)
    derived = c.JupyterHub.spawner_class
    assert issubclass(derived, ImageBuilderSpawner)
    assert issubclass(derived, configured if isinstance(configured, type) else KubeSpawner)
    assert derived.hub_side is not None
    assert copy.deepcopy(derived) is derived


class WithImage(LocalProcessSpawner):
    """As other projects have them."""

    image = Unicode("default/image:1")


@pytest.mark.parametrize(
    ("configured", "base", "front"),
    [
        ("docker", DockerSpawner, DockerServers),
        ("dockerspawner.DockerSpawner", DockerSpawner, DockerServers),
        (DockerSpawner, DockerSpawner, DockerServers),
        ("docker-swarm", SwarmSpawner, DockerServers),
        ("docker-system-user", SystemUserSpawner, DockerServers),
        (WithImage, WithImage, ImageServers),
        ("simple", SimpleLocalProcessSpawner, ProcessServers),
        (LocalProcessSpawner, LocalProcessSpawner, ProcessServers),
    ],
)
def test_other_spawners_get_kubespawners_profiles(c, configured, base, front):
    c.JupyterHub.spawner_class = configured
    setup_ui(c)
    derived = c.JupyterHub.spawner_class
    assert derived.__mro__[1] is front
    assert issubclass(derived, ImageBuilderSpawner)
    assert issubclass(derived, base)
    assert derived._load_profile is KubeSpawner._load_profile
    assert not issubclass(derived, KubeSpawner)
    setup_ui(c)
    assert c.JupyterHub.spawner_class is derived


def test_nothing_is_mixed_into_kubespawner_that_was_not_before(c):
    setup_ui(c)
    ours = [
        cls.__name__
        for cls in c.JupyterHub.spawner_class.__mro__
        if cls.__module__.startswith("jupyterhub_imagebuilder") and cls.__mro__[1:]
    ]
    assert ours == ["ImageBuilderKubeSpawner", "ImageBuilderSpawner", "FormChoice"]


class MixedByHand(ImageBuilderSpawner, DockerSpawner):
    """As it goes with KubeSpawner only."""


@pytest.mark.parametrize("configured", [None, "no.such.Class", dict, MixedByHand])
def test_what_cannot_spawn_is_refused_with_a_sentence(c, configured):
    del c.JupyterHub["spawner_class"]
    if configured is not None:
        c.JupyterHub.spawner_class = configured
    with pytest.raises(ValueError, match=r"c\.JupyterHub.spawner_class"):
        setup_ui(c)
    assert "services" not in c.JupyterHub


def test_an_image_builder_that_runs_on_its_own(c):
    c.JupyterHub.services = [
        {"name": "imagebuilder", "url": "http://builder:80", "api_token": "t" * 32}
    ]
    setup_ui(c)
    assert applied(c, "services") == c.JupyterHub.services
    side = c.JupyterHub.spawner_class.hub_side
    address = side._address("/base/")
    assert (address.url, address.token) == (
        "http://builder:80/base/services/imagebuilder/",
        "t" * 32,
    )


def test_a_name_that_is_taken_is_refused(c):
    c.JupyterHub.services = [{"name": "imagebuilder", "command": ["binderhub"]}]
    with pytest.raises(ValueError, match=r"c\.ImageBuilder.service_name"):
        setup_ui(c)


def test_the_hub_reaches_the_service_by_the_same_token(c):
    setup_ui(c)
    c.ImageBuilder.service_name = "binder"
    address = c.JupyterHub.spawner_class.hub_side._address("/")
    assert address.url == "http://127.0.0.1:8586/services/binder/"
    assert address.token == service_of(c)["api_token"]


def test_only_what_is_needed_is_passed_on(c, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("POD_IP", "10.1.2.3")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/engine.sock")
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "secret")
    setup_ui(c)
    entry = service_of(c)
    assert entry["url"] == "http://10.1.2.3:8586"
    assert entry["environment"]["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"
    assert entry["environment"]["HTTPS_PROXY"] == "http://proxy"
    assert entry["environment"]["DOCKER_HOST"] == "unix:///run/engine.sock"
    assert "secret" not in str(entry)
    monkeypatch.setenv("POD_IP", "fd00::1")
    assert service_of(c)["url"] == "http://[fd00::1]:8586"


@pytest.mark.parametrize(
    ("ip", "internal_ssl", "expected"),
    [
        ("", False, "http://127.0.0.1:8081/base/hub/api"),
        ("0.0.0.0", False, "http://127.0.0.1:8081/base/hub/api"),
        ("::", False, "http://[::1]:8081/base/hub/api"),
        ("10.0.0.5", False, "http://hub-name:8081/base/hub/api"),
        ("", True, "http://hub-name:8081/base/hub/api"),
    ],
)
def test_where_the_service_finds_the_hub(c, ip, internal_ssl, expected):
    setup_ui(c)
    url = service_of(c)["environment"]["JUPYTERHUB_API_URL"]
    assert url(hub_spawner(ip=ip, internal_ssl=internal_ssl)) == expected


def test_the_services_configuration_is_written_when_it_starts(c, tmp_path):
    setup_ui(c)
    c.ImageBuilder.image_prefix = "registry.test/team/"
    c.ImageBuilder.provider_classes.append("a.b.C")
    c.DistributionRegistry.credentials_file = Path("/etc/registry.json")
    c.KubernetesExecutor.node_selector = {"pool": "build"}
    c.KubeSpawner.namespace = "hub-users"
    c.OtherSection.secret = "not ours"
    write = service_of(c)["environment"]["IMAGEBUILDER_CONFIG_FILE"]
    path = Path(write(hub_spawner()))
    assert path == tmp_path / "state" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {
        "ImageBuilder": {
            "state_dir": str(tmp_path / "state"),
            "image_prefix": "registry.test/team/",
            "provider_classes": {"changes of the default": {"extend": ["a.b.C"]}},
        },
        "DistributionRegistry": {"credentials_file": "/etc/registry.json"},
        "KubernetesExecutor": {"node_selector": {"pool": "build"}, "namespace": "hub-users"},
    }


def test_the_applications_own_configuration_goes_first(c):
    setup_ui(c)
    from_the_command_line = Config(c)
    from_the_command_line.ImageBuilder.image_prefix = "cli.test/"
    write = service_of(c)["environment"]["IMAGEBUILDER_CONFIG_FILE"]
    path = Path(write(hub_spawner(from_the_command_line)))
    assert json.loads(path.read_text())["ImageBuilder"]["image_prefix"] == "cli.test/"


@pytest.mark.parametrize(
    ("spawner", "given", "expected"),
    [
        ("docker", {}, ONE_MACHINE),
        ("simple", {"image_prefix": "r.test/x/"}, {**ONE_MACHINE, "image_prefix": "r.test/x/"}),
        ("docker", {"executor_class": "a.B"}, {**ONE_MACHINE, "executor_class": "a.B"}),
        (KubeSpawner, {}, {}),
    ],
)
def test_without_kubernetes_the_two_lines_are_enough(c, spawner, given, expected):
    c.JupyterHub.spawner_class = spawner
    setup_ui(c)
    c.ImageBuilder.update(given)
    write = service_of(c)["environment"]["IMAGEBUILDER_CONFIG_FILE"]
    written = json.loads(Path(write(hub_spawner())).read_text())["ImageBuilder"]
    del written["state_dir"]
    assert written == expected


@pytest.fixture
def command_line(monkeypatch):
    """A JupyterHub that was given options on its command line."""
    JupyterHub.clear_instance()
    app = JupyterHub.instance()
    yield app.parse_command_line
    JupyterHub.clear_instance()


def test_options_of_the_command_line_go_before_the_files(c, command_line, tmp_path):
    command_line([
        "--ImageBuilder.port=9998",
        "--ImageBuilder.service_name=1builder",
        f"--ImageBuilder.state_dir={tmp_path / 'other'}",
        "--ImageBuilder.authenticate_metrics=False",
    ])  # fmt: skip
    c.ImageBuilder.port = 9999
    setup_ui(c)
    entry = service_of(c)
    assert (entry["name"], entry["url"]) == ("1builder", "http://127.0.0.1:9998")
    c.merge(JupyterHub.instance().cli_config)
    path = Path(entry["environment"]["IMAGEBUILDER_CONFIG_FILE"](hub_spawner(c)))
    assert path == tmp_path / "other" / "config.json"
    written = json.loads(path.read_text())["ImageBuilder"]
    assert (written["port"], written["authenticate_metrics"]) == (9998, False)
    assert written["service_name"] == "1builder"


def a_function():
    """Stand in for what an admin may write."""


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (a_function, f'write its name, such as "{__name__}.a_function"'),
        (KubeSpawner, 'such as "kubespawner.spawner.KubeSpawner"'),
        ([1, {"x": a_function}], "is code"),
        (object(), "is a object"),
        ({1: 2}, "keys that are no texts"),
    ],
)
def test_what_cannot_be_handed_on_is_named_and_left_out(c, caplog, value, sentence):
    setup_ui(c)
    c.ImageBuilder.executor_class = value
    c.ImageBuilder.image_prefix = "registry.test/"
    write = service_of(c)["environment"]["IMAGEBUILDER_CONFIG_FILE"]
    path = Path(write(hub_spawner()))
    sections = json.loads(path.read_text())
    assert "executor_class" not in sections["ImageBuilder"]
    assert sections["ImageBuilder"]["image_prefix"] == "registry.test/"
    (trouble,) = c.JupyterHub.spawner_class.hub_side.troubles
    assert trouble.startswith("c.ImageBuilder.executor_class")
    assert sentence in trouble


def test_a_namespace_that_was_chosen_is_kept(c):
    c.KubeSpawner.namespace = "users"
    c.KubernetesExecutor.namespace = "builds"
    sections, refused = service_options(c)
    assert sections["KubernetesExecutor"] == {"namespace": "builds"}
    assert refused == []


@pytest.fixture
def logged(caplog):
    """traitlets' logger, outside an application, does not reach pytest's handler by itself."""
    from traitlets.log import get_logger

    logger = get_logger()
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_what_was_overwritten_is_logged(c, logged):
    setup_ui(c)
    write = service_of(c)["environment"]["IMAGEBUILDER_CONFIG_FILE"]
    write(hub_spawner())
    applied(c, "load_roles")
    assert logged.text == ""
    c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self"]}]
    c.JupyterHub.spawner_class = KubeSpawner
    write(hub_spawner())
    assert "c.JupyterHub.load_roles was assigned after setup_ui(c)" in logged.text
    assert "c.JupyterHub.spawner_class was assigned after setup_ui(c)" in logged.text


def test_a_lost_service_is_logged(c, logged):
    setup_ui(c)
    c.JupyterHub.services = []
    applied(c, "load_roles")
    assert "c.JupyterHub.services was assigned after setup_ui(c)" in logged.text


def test_a_state_directory_that_cannot_be_used_is_replaced_for_now(c, tmp_path, logged):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    c.ImageBuilder.state_dir = str(in_the_way)
    setup_ui(c)
    assert len(service_of(c)["api_token"]) == 64
    assert service_of(c)["api_token"] == service_of(c)["api_token"]
    assert "c.ImageBuilder.state_dir" in logged.text
