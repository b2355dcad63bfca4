"""A hub in this process, by pytest-jupyterhub: what its pages, its API and its database hold."""

from __future__ import annotations

import json
import socket

import pytest
from traitlets.config import Config

pytest.importorskip("pytest_jupyterhub")

from jupyterhub.tests.utils import api_request, get_page

from jupyterhub_imagebuilder import setup_ui

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
"""
TEXT = "image--unlisted-choice"

# JupyterHub 5.2's MockHub stops the loop that the fixture's own end still needs
pytestmark = pytest.mark.filterwarnings(
    "ignore:An exception occurred during teardown of an asyncio.Runner:RuntimeWarning"
)


@pytest.fixture
async def app(hub_app, monkeypatch, tmp_path):
    """A hub with the choice; its cluster is never there."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)  # the hub leaves files where it runs
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    c = Config()
    c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    c.KubeSpawner.profile_list = [{"display_name": "A server", "slug": "server"}]
    c.KubeSpawner.consecutive_failure_limit = 5
    setup_ui(c)
    c.ImageBuilder.image_prefix = "registry.example.org/team/"
    c.ImageBuilder.port = port
    return await hub_app(config=c)


async def test_the_form_offers_the_choice_beside_the_admins_profile(app):
    cookies = await app.login_user("river")
    page = await get_page("spawn", app, cookies=cookies)
    assert page.status_code == 200
    assert "A server" in page.text
    assert "Build from a repository" in page.text
    assert f'data-name="profile-option-server--{TEXT}"' in page.text


async def test_a_link_does_not_start_a_build(app):
    cookies = await app.login_user("river")
    query = {"profile": "server", f"profile-option-server--{TEXT}": "git://git.example.org/repo"}
    page = await get_page("spawn", app, cookies=cookies, params=query)
    assert "A link cannot start a build" in page.text
    assert not app.users["river"].spawner.pending


async def test_users_may_reach_the_service(app):
    await app.login_user("river")
    answer = await api_request(app, "user", name="river")
    scope = "access:services!service=imagebuilder"
    assert scope in answer.json()["scopes"]
    assert app._service_map["imagebuilder"].managed


@pytest.mark.parametrize("options", [{TEXT: ["git://h/r"]}, {TEXT: "not an image"}, {"image": "x"}])
async def test_what_cannot_be_meant_is_a_sentence_and_no_fault_of_the_hub(app, options):
    await app.login_user("river")
    answer = await api_request(
        app, "users/river/server", method="post", data=json.dumps(options), name="river"
    )
    assert answer.status_code == 400
    assert answer.json()["message"].endswith("(spec-invalid)")
    assert app.tornado_settings.get("failure_count", 0) == 0
