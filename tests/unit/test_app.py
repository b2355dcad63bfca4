from __future__ import annotations

import json

import pytest

from jupyterhub_imagebuilder.app import ImageBuilder
from jupyterhub_imagebuilder.builds.execution import Patience
from jupyterhub_imagebuilder.builds.queue import QueueLimits
from jupyterhub_imagebuilder.configuration import ConfigurationError
from jupyterhub_imagebuilder.errors import ServiceUnavailable
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES

HUB = {
    "JUPYTERHUB_SERVICE_NAME": "builder",
    "JUPYTERHUB_SERVICE_PREFIX": "/jupyter/services/builder/",
    "JUPYTERHUB_SERVICE_URL": "http://10.1.2.3:9999",
    "JUPYTERHUB_API_TOKEN": "own",
}


@pytest.fixture(autouse=True)
def without_a_hub(monkeypatch):
    for name in (*HUB, "JUPYTERHUB_API_URL", "IMAGEBUILDER_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def started(tmp_path):
    """The application with a configuration file, and more arguments."""

    def start(config=None, *arguments):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"ImageBuilder": config or {}}))
        app = ImageBuilder()
        app.initialize(["-f", str(path), *arguments])
        return app

    return start


PREFIX = "registry.example.org/team/"


def test_alone(started):
    app = started({"image_prefix": PREFIX})
    assert (app.ip, app.port, app.prefix, app.service_name) == (
        "127.0.0.1",
        8586,
        "/",
        "imagebuilder",
    )
    assert not app.managed
    plan = app.plan()
    assert plan.image_prefix == PREFIX
    assert plan.executor_class == "kubernetes"
    assert plan.provider_classes == PROVIDER_CLASSES
    assert (plan.linger, plan.patience) == (60.0, Patience(confirm=30.0, queue=3600.0))
    assert plan.limits == QueueLimits(running=32, per_user=4, per_repository=0, waiting=1000)


def test_under_a_hub(started, monkeypatch):
    for name, value in HUB.items():
        monkeypatch.setenv(name, value)
    app = started({"image_prefix": PREFIX})
    assert (app.ip, app.port, app.prefix, app.service_name) == (
        "10.1.2.3",
        9999,
        "/jupyter/services/builder/",
        "builder",
    )
    assert app.managed


def test_the_configuration_file_of_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    path.write_text('{"ImageBuilder": {"port": 7777}}')
    monkeypatch.setenv("IMAGEBUILDER_CONFIG_FILE", str(path))
    app = ImageBuilder()
    app.initialize([])
    assert app.port == 7777


def test_the_command_line_comes_first(started):
    assert started({"port": 7777, "ip": "::1"}, "--port=8888").port == 8888


@pytest.mark.parametrize(
    ("given", "path"), [("", "/"), ("/", "/"), ("a", "/a/"), ("/a/b", "/a/b/"), ("//a//", "/a/")]
)
def test_the_base_url_has_a_slash_at_both_ends(started, given, path):
    assert started({"base_url": given}).prefix == path


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"imgae_prefix": "x"}, "did you mean image_prefix"),
        ({"port": "many"}, "port"),
        ({"port": 70000}, "port"),
        ({"linger": -1}, "linger"),
        ({"allowed_specs": ["("]}, "no regular expression"),
    ],
)
def test_a_setting_that_is_wrong_is_a_sentence(started, config, words):
    with pytest.raises(ConfigurationError) as caught:
        started(config)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_the_image_prefix_is_required(started):
    app = started({"image_prefix": ""})
    with pytest.raises(ConfigurationError, match=r"c\.ImageBuilder\.image_prefix"):
        app.plan()


def test_the_policy_takes_both_lists(started):
    plan = started(
        {"image_prefix": PREFIX, "allowed_specs": ["https://a/.*"], "banned_specs": ["https://b"]}
    ).plan()
    assert (plan.policy.allowed, plan.policy.banned) == (("https://a/.*",), ("https://b",))


def test_a_tokens_file_that_cannot_be_used_is_found_at_the_start(started, tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text("{}")
    tokens.chmod(0o644)
    app = started({"image_prefix": PREFIX, "api_tokens_file": str(tokens)})
    with pytest.raises(ConfigurationError, match="0600"):
        app.verify()
    tokens.chmod(0o600)
    app.verify()


async def test_who_may_talk_to_it(started, monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "builder")
    app = started({"image_prefix": PREFIX, "api_tokens_file": str(tmp_path / "absent")})
    principal = await app.access().authenticator.principal("Bearer own")
    assert (principal.owner.name, principal.speaks_for_users) == ("builder", True)
    with pytest.raises(ServiceUnavailable):
        await app.access().authenticator.principal("Bearer other")


def test_every_setting_is_explained():
    for name, trait in ImageBuilder.class_own_traits(config=True).items():
        assert trait.help.strip(), name


@pytest.mark.timeout(20)  # imports the adapters
def test_all_settings_are_in_the_long_help_and_the_short_one_imports_no_adapter(capsys):
    for arguments, there in ((["--help"], False), (["--help-all"], True)):
        with pytest.raises(SystemExit) as caught:
            ImageBuilder().initialize(arguments)
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert "image_prefix" in text or not there
        assert ("--KubernetesExecutor.namespace" in text) == there
