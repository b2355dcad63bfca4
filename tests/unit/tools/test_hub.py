"""The hub's command line, environment, password and ports."""

from __future__ import annotations

import ast
import dataclasses
import errno
import http.server
import socket
import stat
import threading
from pathlib import Path

import pytest

from tools.demo import hub, making, ports
from tools.demo.engine import Engine
from tools.demo.images import Images
from tools.demo.state import CLONE, State, Unusable

GATEWAY = "127.0.0.1"
PLACE = hub.Place(
    port=8000,
    engine=Engine("unix:///run/x/docker.sock", private=True, gateway=GATEWAY),
    images=Images("demo/base:1", "demo/repo2docker:1"),
    repository="git://127.0.0.1:9419/example",
)


def options(place=PLACE):
    words = hub.arguments(place)
    return dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)


def test_the_command_line_has_what_depends_on_the_machine():
    given = options()
    assert given["config"] == str(CLONE / "setup_ui_example.py")
    assert given["JupyterHub.bind_url"] == "http://127.0.0.1:8000"
    assert given["JupyterHub.hub_ip"] == GATEWAY
    assert given["DockerSpawner.image"] == "demo/base:1"
    assert given["DockerExecutor.build_image"] == "demo/repo2docker:1"
    assert given["ImageBuilderSpawner.prefill"] == PLACE.repository
    assert ast.literal_eval(given["HostProvider.allowed_networks"]) == [GATEWAY]
    proxy = given["ConfigurableHTTPProxy.api_url"].rpartition(":")[2]
    assert len({"8000", given["JupyterHub.hub_port"], given["ImageBuilder.port"], proxy}) == 4


def test_a_builder_without_buildx_gets_no_arguments_for_it():
    classic = dataclasses.replace(PLACE, images=Images(making.BASE, making.CLASSIC))
    assert options(classic)["DockerExecutor.buildx_args"] == "[]"
    assert "DockerExecutor.buildx_args" not in options()


def test_no_option_is_the_example_s_own():
    """What is on the command line goes before the file; there only what is the machine's."""
    tree = ast.parse((CLONE / "setup_ui_example.py").read_text())
    assigned = {
        f"{target.value.attr}.{target.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute)
    }
    assert len(assigned) > 10
    assert assigned & options().keys() == {"JupyterHub.bind_url", "JupyterHub.hub_ip"}


def test_the_password_is_made_once_and_is_for_this_user_alone(tmp_path):
    state = State(tmp_path / "state")
    made = hub.password(state)
    assert len(made) >= 8, "the authenticator's least"
    assert hub.password(state) == made
    path = state.hub / "password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(made in word for word in hub.arguments(PLACE))
    path.write_text("chosen by hand\n")
    assert hub.password(state) == "chosen by hand"


def test_a_password_of_which_nothing_was_written_does_not_last(tmp_path, monkeypatch):
    state = State(tmp_path / "state")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            hub.password(state)
    assert list(state.hub.iterdir()) == []
    assert hub.password(state)


def test_the_environment_is_ours_without_what_is_another_hub_s():
    outer = {
        "PATH": "/usr/bin",
        "DOCKER_HOST": "tcp://elsewhere:1",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "JUPYTERHUB_API_TOKEN": "t",
        "CONFIGPROXY_AUTH_TOKEN": "t",
        "https_proxy": "http://proxy:3128",
    }
    made = hub.environment_of(PLACE.engine, outer)
    assert made.pop("PATH").endswith(":/usr/bin")
    assert made == {
        "DOCKER_HOST": "unix:///run/x/docker.sock",
        "https_proxy": "http://proxy:3128",
    }


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "65536", "8000.5", "٨"])
def test_a_port_that_is_none_is_told(text):
    with pytest.raises(Unusable, match="from 1 to 65535"):
        hub.choose_port(text)


def test_a_port_that_is_taken_is_told_with_one_that_is_not():
    with socket.socket() as other:
        other.bind((hub.ADDRESS, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(Unusable, match=f"Port {taken} .* is taken.*DEMO_PORT=") as caught:
            hub.choose_port(str(taken))
        named = int(str(caught.value).rpartition("=")[2].rstrip("`."))
        assert named != taken
        assert ports.is_free(hub.ADDRESS, named)
    assert hub.choose_port(str(taken)) == taken


class Page(http.server.BaseHTTPRequestHandler):
    code = 200

    def do_GET(self):
        self.send_response(self.code if self.path == "/hub/login" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("code", "ready"), [(200, True), (503, False), (302, False)])
def test_the_hub_is_ready_when_its_login_page_is_there(code, ready, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(Page, "code", code)
    with http.server.HTTPServer((hub.ADDRESS, 0), Page) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert hub.answers(server.server_port) == ready
        thread.join()
    assert hub.answers(server.server_port) is False


def test_the_first_free_port_is_the_remembered_one():
    with socket.socket() as other:
        other.bind((GATEWAY, 0))
        other.listen()
        taken = other.getsockname()[1]
        assert ports.first_free(GATEWAY, taken) != taken
        (free,) = ports.free(GATEWAY)
        assert ports.first_free(GATEWAY, free, taken) == free
        assert ports.first_free(GATEWAY, taken, free) == free
    with pytest.raises(Unusable, match="No port of"):
        ports.first_free("203.0.113.1", 9418)  # no address of this machine


def test_the_example_is_short_and_says_where_its_readers_go_on():
    text = (CLONE / "setup_ui_example.py").read_text()
    assert len(text.splitlines()) < 100
    for page in [word for word in text.split() if word.startswith("docs/")]:
        assert Path(CLONE / page.rstrip(".,")).is_file(), page
