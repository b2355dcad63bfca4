"""A real JupyterHub on this machine, whose users' servers run in the cluster."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from tests.integration.cluster.environment import Program
from tests.integration.cluster.polling import until
from tests.integration.cluster.web import Answer, Api

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
REPOSITORY = Path(__file__).parents[3]
#: Seconds until a hub, its proxy and its service must have gone.
STOP_LIMIT = 15
#: The profile option that chooses the image; our own default.
OPTION = "image"


@dataclass
class Hub:
    """A running hub; every user is made by the tests' own token."""

    url: str
    namespace: str
    id: str
    password: str
    admin: Api
    kubectl: Program
    image_prefix: str  #: of the images that this hub builds
    process: subprocess.Popen[bytes]
    log_path: Path
    service: str = "imagebuilder"
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        """Everything that hub, proxy and service have said so far."""
        return self.log_path.read_text(errors="replace")

    def user(self, name: str) -> Api:
        """The hub's API as this user (created if need be) calls it."""
        if name not in self._tokens:
            self.admin("POST", f"/users/{name}")
            made = self.admin("POST", f"/users/{name}/tokens", {"note": "tests"})
            assert made.status in {200, 201}, made
            self._tokens[name] = made.body["token"]
        return Api(f"{self.url}/hub/api", self._tokens[name])

    def server(self, user: str) -> Api:
        """The API of the user's own server."""
        return Api(f"{self.url}/user/{user}", self.user(user).token)

    def builder(self, user: str) -> Api:
        """The image builder's API, as this user calls it."""
        return Api(f"{self.url}/services/{self.service}", self.user(user).token)

    def start(self, user: str, **options: Any) -> Answer:
        """Ask for the user's server."""
        return self.user(user)("POST", f"/users/{user}/server", options or None)

    def build(self, user: str, text: str, **options: Any) -> Answer:
        """Ask for the user's server from an image that is built from ``text``."""
        return self.start(user, **options, **{f"{OPTION}--unlisted-choice": text})

    def refusal(self, user: str, text: str) -> str:
        """The sentence with which such a start ends, wherever the user gets to see it."""
        answer = self.build(user, text)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return answer.message
        last = self.progress(user)[-1]
        assert last.get("failed"), last
        return last["message"]

    def pod(self, user: str) -> dict[str, Any]:
        """The pod of the user's server."""
        name = f"{self.id}-{user}"
        return json.loads(self.kubectl("get", "pod", name, "-n", self.namespace, "-o", "json"))

    def image(self, user: str) -> str:
        """The image that the user's server was told to run."""
        return self.pod(user)["spec"]["containers"][0]["image"]

    def progress(self, user: str) -> list[dict[str, Any]]:
        """All that the progress page is told, to its end."""
        return list(self.user(user).events(f"/users/{user}/server/progress"))

    def state(self, user: str) -> dict[str, Any]:
        """The user's default server as the hub knows it; empty when there is none."""
        model = self.admin("GET", f"/users/{user}?include_stopped_servers").body
        return model["servers"].get("", {})

    def ready(self, user: str, seconds: float = 120) -> None:
        """Return when the user's server answers; complain with the reason if it fails."""
        until(
            lambda: self.state(user).get("ready") or not self.state(user).get("pending"),
            what=f"the start of {user}'s server",
            seconds=seconds,
            every=0.5,
        )
        assert self.state(user).get("ready"), f"{user}'s server did not start\n{self.tail()}"

    def stop_server(self, user: str) -> None:
        """Stop the user's server and return when it has gone."""
        self.user(user)("DELETE", f"/users/{user}/server")
        until(
            lambda: not self.state(user).get("ready") and not self.state(user).get("pending"),
            what=f"the stop of {user}'s server",
        )

    def form(self, user: str) -> str:
        """The spawn form's HTML for a user who logs in with the password."""
        with self.session(user) as session:
            answer = session.get(f"{self.url}/hub/spawn/{user}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.text

    def session(self, user: str) -> requests.Session:
        """Cookies of a user who has logged in by the form."""
        session = requests.Session()
        page = session.get(f"{self.url}/hub/login", timeout=30)
        assert page.status_code == 200, page.text
        form = {"username": user, "password": self.password, "_xsrf": session.cookies["_xsrf"]}
        answer = session.post(f"{self.url}/hub/login", form, timeout=30, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return session

    def service_pids(self) -> list[int]:
        """Processes of the image builder's service that this hub started."""
        return [
            int(path.name)
            for path in Path("/proc").iterdir()
            if path.name.isdigit()
            and b"jupyterhub_imagebuilder" in _read(path / "cmdline")
            and _parent(path) == self.process.pid
        ]

    def kill_service(self) -> None:
        """End the service as the kernel's out-of-memory killer would."""
        pids = self.service_pids()
        assert pids, "the service is not running"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def tail(self, lines: int = 60) -> str:
        """The end of the log, for a failure's report, without the tests' own polling."""
        told = [line for line in self.log.splitlines() if "(tests@" not in line]
        return "\n".join(told[-lines:])

    def alive(self) -> bool:
        """Whether the hub still runs and answers."""
        return self.process.poll() is None and self.admin("GET", "/").status == HTTPStatus.OK


@contextmanager
def running_hub(
    folder: Path, kubeconfig: Path, kubectl: Program, settings: dict[str, Any]
) -> Iterator[Hub]:
    """Start a hub, wait until it answers, and end all of its processes afterwards.

    :param settings: what ``jupyterhub_config.py`` beside this file reads, but ports and secrets.
    """
    proxy_port, hub_port, service_port, api_port = _free_ports(4)
    node, hub_id = settings["node_address"], f"h{secrets.token_hex(3)}"
    sections = {
        "ImageBuilder": {"port": service_port},
        "ConfigurableHTTPProxy": {"api_url": f"http://127.0.0.1:{api_port}"},
        "KubernetesExecutor": {"instance": hub_id},
    }
    if not settings["setup_ui"]:
        sections = {"ConfigurableHTTPProxy": sections["ConfigurableHTTPProxy"]}
    for name, values in settings["sections"].items():
        sections.setdefault(name, {}).update(values)
    admin_token, password = secrets.token_hex(16), secrets.token_hex(8)
    url = f"http://127.0.0.1:{proxy_port}"
    settings = settings | {
        "id": hub_id,
        "bind_url": url,
        "hub_bind_url": f"http://:{hub_port}",
        "hub_connect_url": f"http://{node}:{hub_port}",
        "admin_token": admin_token,
        "password": password,
        "sections": sections,
    }
    settings_path, log_path = folder / "settings.json", folder / "hub.log"
    settings_path.write_text(json.dumps(settings))
    environment = _environment(kubeconfig, settings_path)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    hub = Hub(
        url=url,
        namespace=settings["namespace"],
        id=hub_id,
        password=password,
        admin=Api(f"{url}/hub/api", admin_token),
        kubectl=kubectl,
        image_prefix=sections.get("ImageBuilder", {}).get("image_prefix", ""),
        process=process,
        log_path=log_path,
    )
    try:
        until(
            lambda: process.poll() is not None or _answers(hub), what="the hub's start", seconds=60
        )
        assert process.poll() is None, f"the hub ended\n{hub.tail()}"
        yield hub
    finally:
        _end(process, folder)


def _environment(kubeconfig: Path, settings_path: Path) -> dict[str, str]:
    """What the hub's container would have, and nothing of the tests' own rights."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    beside = str(Path(sys.executable).parent)
    return environment | {
        "PATH": f"{beside}:{environment['PATH']}",
        "KUBECONFIG": str(kubeconfig),
        "TEST_HUB_SETTINGS": str(settings_path),
        "PYTHONPATH": str(REPOSITORY),
    }


def _answers(hub: Hub) -> bool:
    # the log first: a proxy that is asked too early fills it with complaints
    return (
        "JupyterHub is now running" in hub.log
        and hub.admin("GET", "/users").status == HTTPStatus.OK
    )


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End a hub with everything that it started, in sessions of their own too."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    for pid in _working_in(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _working_in(folder: Path) -> list[int]:
    """Processes of a hub's: proxy and service outlive a hub that died, but stay in its folder."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit() and (path / "cwd").readlink() == folder:
                found.append(int(path.name))
    return found


def _parent(folder: Path) -> int | None:
    """Parent of a process, None when it has gone; field 4 of proc(5)'s ``stat``."""
    stat = _read(folder / "stat")
    return int(stat.rpartition(b")")[2].split()[1]) if stat else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
