"""Only the demo's own containers are removed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyterhub_imagebuilder.executors.docker import container
from tools.demo.api import EngineError
from tools.demo.containers import LABEL, OWNER, Containers
from tools.demo.ports import free


class FakeEngine(BaseHTTPRequestHandler):
    """Answers as Docker does for the three requests that are made."""

    containers: dict[str, tuple[str, dict[str, str]]]

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/_ping":
            return self.say(200, "OK")
        query = parse_qs(url.query)
        assert query["all"] == ["true"]
        return self.say(200, self.listed(json.loads(query["filters"][0])))

    def listed(self, filters):
        labels = filters.get("label", [])
        (name,) = filters.get("name", [""])
        return [
            {"Id": each}
            for each, (called, has) in self.containers.items()
            if all(has.get(key) == value for key, value in (lab.split("=") for lab in labels))
            and f"/{called}".startswith(name.removeprefix("^"))
        ]

    def do_DELETE(self):
        url = urlsplit(self.path)
        assert parse_qs(url.query) == {"force": ["true"], "v": ["true"]}
        known = self.containers.pop(url.path.removeprefix("/containers/"), None)
        self.say(404 if known is None or known[0].endswith("gone") else 204, {"message": "?"})

    def say(self, code, content):
        self.send_response(code)
        self.end_headers()
        if code != 204:
            self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def host():
    FakeEngine.containers = {
        "1": (f"{OWNER}-demo", {}),
        "2": ("build-example-1", {LABEL: OWNER}),
        "3": (f"{OWNER}-gone", {LABEL: OWNER}),
        "4": ("build-example-2", {LABEL: "imagebuilder"}),
        "5": (f"other-{OWNER}-x", {}),
        "6": ("jupyter-demo", {}),
    }
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeEngine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_only_our_own_are_removed(host):
    containers = Containers(host)
    assert containers.engine_answers()
    assert containers.remove() == 3
    assert FakeEngine.containers.keys() == {"4", "5", "6"}
    assert containers.remove() == 0


def test_an_engine_that_is_gone_is_noticed():
    gone = Containers(f"tcp://127.0.0.1:{free('127.0.0.1')[0]}")
    assert not gone.engine_answers()
    with pytest.raises(EngineError, match="does not answer"):
        gone.remove()


def test_the_label_is_the_executor_s():
    assert container.INSTANCE == LABEL
