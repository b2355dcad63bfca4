from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import HTTPError

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import RefNotFound
from jupyterhub_imagebuilder.hub.panel import (
    front_end_built,
    panel,
    service_url,
    with_commit,
    without_ours,
)
from jupyterhub_imagebuilder.hub.profile import Settings
from jupyterhub_imagebuilder.hub.shared import HubSide

from .docker_spawner import spawner_on
from .fakes import COMMIT, OPEN, FakeService
from .test_spawner import SAVED, TEXT, make, no_cluster, service, spawn

__all__ = ["make", "no_cluster", "service"]

FIELD = "profile-option-only-choice--image--unlisted-choice"
OTHER_COMMIT = "0" * 40


class Elements(HTMLParser):
    """The elements of a page that have an id, as a browser reads them."""

    def __init__(self, page):
        super().__init__()
        self.found = {}
        self._open = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._open = dict(attrs).get("id")
        if self._open:
            self.found[self._open] = {"tag": tag, **dict(attrs), "text": ""}

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.found[self._open]["text"] += data


def data_of(page):
    return json.loads(Elements(page).found["imagebuilder-form"]["text"])


def as_in_a_hub(
    spawner, monkeypatch, *, pages=True, prefix="/base/services/imagebuilder/", host=""
):
    monkeypatch.setattr(HubSide, "has_pages", pages)
    spawner.hub = SimpleNamespace(base_url="/base/hub/", api_url="http://hub:8081/base/hub/api")
    spawner.user.server_url = lambda name="": f"/base/user/alice/{name + '/' if name else ''}"
    spawner.user.settings["services"] = {
        "imagebuilder": SimpleNamespace(host=host, prefix=prefix, href="//wrong.test/")
    }
    return spawner


async def test_the_form_carries_data_script_and_line(make, monkeypatch):
    spawner = as_in_a_hub(make(prefill="git://h/example"), monkeypatch)
    page = await spawner.get_options_form()
    assert "Specify an existing docker image" in page
    assert data_of(page) == {
        "service": "/base/services/imagebuilder/",
        "service_name": "imagebuilder",
        "user": "alice",
        "server": "",
        "option": "image",
        "prefill": "git://h/example",
        "server_url": "/base/user/alice/",
        "content": "/base/services/imagebuilder/content",
        "hub": "/base/hub/",
    }
    found = Elements(page).found
    script = found["imagebuilder-script"]
    assert (script["type"], script["src"]) == (
        "module",
        "/base/services/imagebuilder/static/form.js",
    )
    away = found["imagebuilder-away"]
    assert "hidden" in away
    assert away["role"] == "status"
    assert away["text"].startswith("The image builder cannot be reached: ")
    # the listener stands before what it listens to
    assert page.index('addEventListener("error"') < page.index('id="imagebuilder-script"')


async def test_a_named_server_on_a_hub_of_subdomains(make, monkeypatch):
    spawner = as_in_a_hub(
        make({"profile": "only-choice", TEXT: "git://h/own"}, prefill="git://h/example"),
        monkeypatch,
        host="https://services.hub.test:8443",
    )
    spawner.orm_spawner.name = "deep"
    data = data_of(await spawner.get_options_form())
    assert data["service"] == "https://services.hub.test:8443/base/services/imagebuilder/"
    assert (data["server"], data["server_url"]) == ("deep", "/base/user/alice/deep/")
    assert data["prefill"] == ""  # who has chosen before finds that


@pytest.mark.parametrize("base", [None, SimpleLocalProcessSpawner])
async def test_other_spawners_have_the_same(monkeypatch, base):
    monkeypatch.setattr("jupyterhub.spawner.Spawner.get_env", lambda self: {})
    bases = {} if base is None else {"base": base}
    spawner = as_in_a_hub(spawner_on(None, FakeService(), **bases), monkeypatch)
    assert data_of(await spawner.get_options_form())["user"] == "alice"


async def test_an_admins_own_template_has_the_same(make, monkeypatch):
    template = "<b>mine</b>{{ profile_list|tojson }}"
    page = await as_in_a_hub(make(profile_form_template=template), monkeypatch).get_options_form()
    assert page.startswith("<b>mine</b>")
    assert data_of(page)["option"] == "image"


async def test_nothing_without_pages_and_nothing_where_the_service_is_lost(make, monkeypatch):
    page = await as_in_a_hub(make(), monkeypatch, pages=False).get_options_form()
    assert "Build from a repository" in page
    assert "imagebuilder-" not in page
    spawner = as_in_a_hub(make(), monkeypatch)
    spawner.user.settings["services"] = {}
    page = await spawner.get_options_form()
    assert "Building images is unavailable" in page
    assert "imagebuilder-" not in page


async def test_the_form_outlives_whatever_goes_wrong_with_its_panel(make, monkeypatch):
    def broken(name):
        raise RuntimeError("a bug")

    spawner = as_in_a_hub(make(), monkeypatch)
    spawner.user.server_url = broken
    page = await spawner.get_options_form()
    assert "Build from a repository" in page
    assert "imagebuilder-form" not in page


def test_data_cannot_break_out_of_the_page():
    evil = '</script><script>alert(1)</script><!-- " &lt; \u2028'
    page = panel({"service": '/s"><img src=x>/', "user": evil})
    assert data_of(page)["user"] == evil
    assert "alert(1)</script>" not in page
    assert "<img" not in page
    assert set(Elements(page).found) == {
        "imagebuilder-form",
        "imagebuilder-away",
        "imagebuilder-script",
    }


def test_a_service_that_jupyterhub_does_not_describe_is_under_its_prefix():
    assert service_url({}, "binder", "/base/hub/") == "/base/services/binder/"
    assert service_url({"services": {"binder": object()}}, "binder", "/hub/") == "/services/binder/"


def test_a_service_elsewhere_has_pages_of_its_own():
    side = HubSide(lambda base_url: None, lambda: "imagebuilder")
    assert side.has_pages is front_end_built()
    side.elsewhere = True
    assert side.has_pages is True


async def test_a_failed_start_links_to_its_build(make, service, monkeypatch):
    failed = replace(OPEN, id="b/1", phase=Phase.FAILED, message="A step failed.")
    service.answers = [failed]
    options = {"profile": "only-choice", TEXT: "git://h/r"}
    with pytest.raises(HTTPError) as caught:
        await spawn(as_in_a_hub(make(options), monkeypatch))
    page = 'href="/base/services/imagebuilder/builds/b%2F1"'
    assert page in caught.value.jupyterhub_html_message
    assert caught.value.jupyterhub_message == "A step failed. (build-failed)"
    with pytest.raises(HTTPError) as caught:
        await spawn(as_in_a_hub(make(options), monkeypatch, pages=False))
    assert not hasattr(caught.value, "jupyterhub_html_message")
    # what was refused before there was a build has no page
    service.answers = [RefNotFound("No such ref.")]
    with pytest.raises(HTTPError) as caught:
        await spawn(as_in_a_hub(make(options), monkeypatch))
    assert not hasattr(caught.value, "jupyterhub_html_message")


# -- What is submitted ----------------------------------------------------------------------------


def form(text="git://h/r@main", **fields):
    return {"profile": ["only-choice"], FIELD: [text], **{k: [v] for k, v in fields.items()}}


async def submitted(spawner, form_data):
    """JupyterHub's part of a form that is sent: its options replace what was saved before."""
    options = await spawner.run_options_from_form(form_data)
    spawner.user_options = spawner.orm_spawner.user_options = options
    return options


async def test_the_server_starts_from_what_the_page_built(make, service):
    spawner = make()
    await submitted(spawner, form(**{"imagebuilder-commit": OTHER_COMMIT}))
    await spawn(spawner)
    assert service.asked[0][::2] == ("git://h/r@main", OTHER_COMMIT)


async def test_another_text_does_not_inherit_the_commit(make, service):
    spawner = make({"profile": "only-choice", TEXT: "git://h/old", SAVED: OTHER_COMMIT})
    options = await submitted(spawner, form("git://h/new"))
    assert options == {"profile": "only-choice", TEXT: "git://h/new"}
    await spawn(spawner)
    assert service.asked[0][::2] == ("git://h/new", None)
    assert spawner.user_options[SAVED] == COMMIT


@pytest.mark.parametrize(
    "commit", ["", "main", "0" * 39, "0" * 40 + "\n", "A" * 40, "../" + "0" * 40]
)
async def test_what_is_no_full_commit_is_dropped(make, commit):
    options = await make().run_options_from_form(form(**{"imagebuilder-commit": commit}))
    assert options == {"profile": "only-choice", TEXT: "git://h/r@main"}


async def test_a_commit_without_a_repository_is_dropped(make):
    fields = {"imagebuilder-commit": OTHER_COMMIT}
    options = await make().run_options_from_form(form("quay.io/a/b:c", **fields))
    assert options == {"profile": "only-choice", TEXT: "quay.io/a/b:c"}
    options = await make().run_options_from_form({"imagebuilder-commit": [OTHER_COMMIT]})
    assert options == {}


async def test_kubespawner_is_not_told_of_fields_that_it_would_warn_of(make, caplog):
    spawner = make()
    await spawner.run_options_from_form(form(**{"imagebuilder-commit": OTHER_COMMIT}))
    assert "unrecognized" not in caplog.text


async def test_an_admins_own_reading_of_the_form_stays(make):
    seen = []

    def plain(form_data):
        seen.append(form_data)
        return {TEXT: form_data["repo"][0], "mine": 1}

    async def with_spawner(form_data, spawner):
        return {TEXT: form_data["repo"][0], "for": spawner.user.name}

    data = {"repo": ["git://h/r"], "imagebuilder-commit": [OTHER_COMMIT]}
    options = await make(options_from_form=plain).run_options_from_form(data)
    assert options == {TEXT: "git://h/r", "mine": 1, SAVED: OTHER_COMMIT}
    assert seen == [{"repo": ["git://h/r"]}]
    options = await make(options_from_form=with_spawner).run_options_from_form(data)
    assert options == {TEXT: "git://h/r", "for": "alice", SAVED: OTHER_COMMIT}
    assert await make(options_from_form=lambda form_data: None).run_options_from_form(data) is None


def test_fields_are_told_apart():
    assert without_ours({"imagebuilder-x": 1, "profile": 2}) == {"profile": 2}
    assert with_commit({TEXT: 5}, {"imagebuilder-commit": ["0" * 40]}, Settings()) == {TEXT: 5}
    assert with_commit({TEXT: "a://b"}, {"imagebuilder-commit": []}, Settings()) == {TEXT: "a://b"}
    assert with_commit({TEXT: "a://b"}, {"imagebuilder-commit": ["0" * 64]}, Settings()) == {
        TEXT: "a://b",
        SAVED: "0" * 64,
    }
