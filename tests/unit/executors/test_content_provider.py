"""The configuration that repo2docker gets, carried out with content providers of the test's own."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from jupyterhub_imagebuilder.executors.entrypoint import configuration


class Archive:
    """Detects ``found`` with an id, as repo2docker's own do."""

    found: object = {"record": "1"}
    content_id = "1"

    def detect(self, source, ref=None, extra_args=None):
        assert extra_args is None
        return self.found


class Answer(SimpleNamespace):
    def raise_for_status(self):
        assert self.status_code == 200, self.url

    def json(self):
        return {"data": {"files": [self.url]}}


class NewDataverse:
    """As in repo2docker since 2025.08, with a server that knows ``known``."""

    known = ("doi:10.1/a",)

    def doi2url(self, doi):
        return f"https://x.org/citation?persistentId={doi}" if doi.startswith("10.") else doi

    def parse_dataverse_url(self, url):
        return url.partition("persistentId=")[2], "/citation" in url

    def get_dataset_id_from_file_id(self, base_url, file_id):
        assert base_url == "https://x.org"
        return file_id.rpartition("/")[0]

    def get_datafiles(self, url):
        raise AssertionError("the newest version is not asked for")

    def _request(self, url, params):
        status = 200 if params["persistentId"] in self.known else 404
        return Answer(url=url, status_code=status)


class OldDataverse:
    """As in repo2docker 2024.07, which has the list of hosts with it."""

    def detect(self, doi, ref=None, extra_args=None):
        return "found"


@pytest.fixture
def configured(monkeypatch):
    """The one class with which repo2docker is configured."""

    def configure(name, cls):
        package, module = ModuleType("repo2docker"), ModuleType("repo2docker.contentproviders")
        setattr(module, name, cls)
        package.contentproviders = module
        monkeypatch.setitem(sys.modules, "repo2docker", package)
        monkeypatch.setitem(sys.modules, "repo2docker.contentproviders", module)
        c = SimpleNamespace(Repo2Docker=SimpleNamespace())
        exec(configuration(name), {"c": c})  # as traitlets does
        (made,) = c.Repo2Docker.content_providers
        assert issubclass(made, cls)
        return made

    return configure


@pytest.mark.parametrize("name", ["Git", "Swhid"])
def test_plain_ones(configured, name):
    made = configured(name, Archive)
    assert (made.__name__, made.detect) == ("Archive", Archive.detect)


@pytest.mark.parametrize("name", ["Zenodo", "Figshare", "Hydroshare", "CKAN"])
def test_only_the_version_that_was_resolved_is_built(configured, name):
    provider = configured(name, Archive)()
    assert provider.detect("https://x.org", ref="1") == {"record": "1"}
    with pytest.raises(ValueError, match="choose it again"):
        provider.detect("https://x.org", ref="2")
    provider.found = None
    with pytest.raises(ValueError, match="does not know"):
        provider.detect("https://x.org", ref="1")


def test_an_activity_is_a_version_whatever_the_newest_is(configured):
    provider = configured("CKAN", Archive)()
    provider.found = {"activity_id": "x"}
    assert provider.detect("https://x.org", ref="x") == provider.found


def test_dataverse_fetches_the_version_and_no_list_of_hosts(configured):
    provider = configured("Dataverse", NewDataverse)()
    url = provider.detect("https://x.org/dataset.xhtml?persistentId=doi:10.1/a", ref="v1.2")
    assert provider.get_datafiles(url) == ["https://x.org/api/datasets/:persistentId/versions/1.2"]
    assert provider.persistent_id == "doi:10.1/a"


def test_dataverse_finds_the_dataset_of_a_file(configured):
    provider = configured("Dataverse", NewDataverse)()
    url = provider.detect("https://x.org/citation?persistentId=doi:10.1/a/f", ref="v1.2")
    assert provider.get_datafiles(url)
    assert provider.persistent_id == "doi:10.1/a"


def test_dataverse_says_that_it_is_not_there(configured):
    provider = configured("Dataverse", NewDataverse)()
    url = provider.detect("https://x.org/dataset.xhtml?persistentId=doi:10.1/b", ref="v1.2")
    with pytest.raises(AssertionError, match=r"versions/1\.2"):
        provider.get_datafiles(url)


def test_dataverse_of_an_old_repo2docker_is_left_alone(configured):
    provider = configured("Dataverse", OldDataverse)()
    assert provider.detect("https://x.org", ref="v1.2") == "found"
    assert not hasattr(provider, "get_datafiles")


def test_mercurial_asks_nobody_before_the_clone(configured):
    provider = configured("Mercurial", Archive)()
    assert provider.detect("https://x.org", ref="a") == {"repo": "https://x.org", "ref": "a"}


def test_another_name_is_none(configured):
    with pytest.raises(KeyError):
        configuration("Local")
