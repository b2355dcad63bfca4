from __future__ import annotations

import json

import pytest
from traitlets import List, Unicode
from traitlets.config import Config, Configurable

from jupyterhub_imagebuilder import configuration
from jupyterhub_imagebuilder.app import ImageBuilder
from jupyterhub_imagebuilder.configuration import imported, load
from jupyterhub_imagebuilder.hub.config_file import service_options
from jupyterhub_imagebuilder.providers.git import GitProvider
from jupyterhub_imagebuilder.providers.networks import DEFAULT_BLOCKED
from jupyterhub_imagebuilder.sections import PROVIDER_CLASSES, SECTIONS

NETWORK = "203.0.113.0/24"


def test_all_providers_are_there_and_git_is_last():
    ids = [imported(name, "x").id for name in PROVIDER_CLASSES]
    git = {"gh", "gist", "gl", "gitea", "bb", "git"}
    archives = {"zenodo", "figshare", "dataverse", "hydroshare", "ckan", "swh"}
    assert set(ids) == git | archives | {"hg"}
    assert len(set(ids)) == len(ids)
    assert ids[-1] == "git"


@pytest.mark.parametrize("name", PROVIDER_CLASSES)
def test_the_sections_of_a_provider_and_its_bases_are_handed_on(name):
    names = {
        section
        for section in imported(name, "x").section_names()
        if not section.endswith("Configurable")
    }
    assert names <= set(SECTIONS)


def test_a_section_of_a_provider_that_is_not_in_use_is_no_mistake():
    config = Config({"ImageBuilder": {}, "GitLabProvider": {"hosts": ["gitlab.example.org"]}})
    configuration.check(config, [ImageBuilder], complete=True)


class Sample(Configurable):
    names = List(Unicode(), default_value=["b"], config=True)


def handed_over(config, tmp_path):
    """As the service reads it from the file that the hub writes."""
    sections, refused = service_options(config)
    assert refused == []
    path = tmp_path / "config.json"
    path.write_text(json.dumps(sections))
    return load(path)


def test_what_was_added_to_a_default_is_added_to_it_in_the_service(tmp_path):
    c = Config()
    c.GitProvider.blocked_networks.append(NETWORK)
    provider = GitProvider(config=handed_over(c, tmp_path))
    assert provider.blocked_networks == [*DEFAULT_BLOCKED, NETWORK]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda names: names.insert(0, "a"), ["a", "b"]),
        (lambda names: names.prepend(["x", "y"]), ["x", "y", "b"]),
        (lambda names: names.extend(["c"]), ["b", "c"]),
        (lambda names: names, ["b"]),
    ],
)
def test_each_change_of_a_list(tmp_path, monkeypatch, change, names):
    monkeypatch.setattr("jupyterhub_imagebuilder.hub.config_file.SECTIONS", ("Sample",))
    c = Config()
    change(c.Sample.names)
    assert Sample(config=handed_over(c, tmp_path)).names == names


def test_a_dictionary_that_was_only_updated(tmp_path):
    c = Config()
    c.KubernetesExecutor.node_selector.update({"pool": "build"})
    config = handed_over(c, tmp_path)
    assert config.KubernetesExecutor.node_selector.get_value({"a": "b"}) == {
        "a": "b",
        "pool": "build",
    }


def test_what_was_assigned_first_is_data(tmp_path):
    c = Config()
    c.GitProvider.blocked_networks = ["10.0.0.0/8"]
    c.GitProvider.blocked_networks.append(NETWORK)
    provider = GitProvider(config=handed_over(c, tmp_path))
    assert provider.blocked_networks == ["10.0.0.0/8", NETWORK]
