from __future__ import annotations

import pytest
from traitlets import Unicode
from traitlets.config import Config, Configurable

from jupyterhub_imagebuilder.app import ImageBuilder
from jupyterhub_imagebuilder.configuration import (
    ConfigurationError,
    check,
    imported,
    imported_executor,
    load,
)
from jupyterhub_imagebuilder.providers.zenodo import ZenodoProvider


class Base(Configurable):
    shared = Unicode().tag(config=True)


class Custom(Base):
    own = Unicode().tag(config=True)
    internal = Unicode()


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.py", "c.ImageBuilder.port = 80"),
        ("c.json", '{"ImageBuilder": {"port": 80}}'),
    ],
)
def test_both_kinds_of_file(tmp_path, name, text):
    assert load(write(tmp_path, name, text)).ImageBuilder.port == 80


def test_a_relative_path(tmp_path, monkeypatch):
    write(tmp_path, "c.py", "c.ImageBuilder.port = 80")
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path.relative_to(tmp_path) / "c.py").ImageBuilder.port == 80


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.py", "c.ImageBuilder.port = \n", "in line 1: SyntaxError"),
        ("c.py", "\nc.ImageBuilder.port = prot", "in line 2: NameError: name 'prot'"),
        ("c.json", '{"ImageBuilder": ', "fails: JSONDecodeError"),
        ("c.yaml", "a: b", "has to end in .py or .json"),
    ],
)
def test_a_file_that_fails_is_one_sentence(tmp_path, name, text, words):
    path = write(tmp_path, name, text)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert "Traceback" not in caught.value.message


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        load(tmp_path / "absent.py")


def config(**sections):
    return Config(sections)


@pytest.mark.parametrize(
    "good",
    [
        config(ImageBuilder={"port": 80, "image_prefix": "x"}),
        config(Application={"log_level": 10}),
        config(Custom={"own": "a", "shared": "b"}),
        config(Base={"shared": "b"}),
        config(DockerExecutor={"anything": 1}),
        config(Empty={}),
        config(BinderHub={}),
        config(ImageBuilder={"Custom": {"own": "nested"}}),
    ],
)
def test_options_that_belong_to_something(good):
    check(good, [ImageBuilder, Custom], complete=True)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            config(ImageBuilder={"imgae_prefix": "x"}),
            "There is no option c.ImageBuilder.imgae_prefix; did you mean image_prefix.",
        ),
        (config(Custom={"internal": "x"}), "There is no option c.Custom.internal."),
        (config(Custom={"zzz": "x"}), "There is no option c.Custom.zzz."),
        (
            config(KubernetesExecuter={"namespace": "x"}),
            "There is no section c.KubernetesExecuter; did you mean KubernetesExecutor.",
        ),
        (config(Zzz={"namespace": "x"}), "There is no section c.Zzz."),
        (config(port=80), "it could be c.ImageBuilder.port"),
        (config(BinderHub={"image_prefix": "x"}), "here it is c.ImageBuilder.image_prefix."),
        (
            config(KubernetesBuildExecutor={"docker_host": "x"}),
            "here it is c.KubernetesExecutor.engine_socket_dir.",
        ),
        (config(BinderHub={"auth_enabled": True}), "nothing has to be set for it here"),
        (
            config(BinderHub={"cors_allow_origin": "*"}),
            "here it is c.CrossOrigin.allowed_origins.",
        ),
        (config(BinderHub={"no_such": 1}), "that has no counterpart here; remove it."),
        (config(ZenodoProvider={"banned_specs": []}), "here it is c.ImageBuilder.banned_specs."),
        (config(ZenodoProvider={"zzz": 1}), "There is no option c.ZenodoProvider.zzz."),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(bad, words):
    with pytest.raises(ConfigurationError) as caught:
        check(bad, [ImageBuilder, Custom, ZenodoProvider], complete=True)
    assert words in caught.value.message


def test_sections_of_others_wait_until_all_classes_are_known():
    check(config(Zzz={"namespace": "x"}), [ImageBuilder], complete=False)


def test_an_import_string():
    assert imported("json.dumps", "c.X.y").__name__ == "dumps"
    assert imported("json:dumps", "c.X.y").__name__ == "dumps"


@pytest.mark.parametrize("name", ["json.absent", "absent_module.X", "nodots", "", ".", "a..b"])
def test_an_import_string_of_nothing(name):
    with pytest.raises(ConfigurationError, match=r"c\.X\.y names"):
        imported(name, "c.X.y")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("docker", "DockerExecutor"),
        ("kubernetes", "KubernetesExecutor"),
        ("jupyterhub_imagebuilder.executors.docker.executor.DockerExecutor", "DockerExecutor"),
    ],
)
def test_executors_have_short_names(name, found):
    assert imported_executor(name).__name__ == found


def test_an_executor_that_is_not_there_is_named_with_its_option():
    with pytest.raises(ConfigurationError, match=r"c.ImageBuilder.executor_class names podman"):
        imported_executor("podman")
