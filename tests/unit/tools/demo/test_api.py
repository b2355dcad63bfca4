from __future__ import annotations

import http.server
import socketserver
import threading
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import pytest

from tools.demo.api import Api, EngineError


class Handler(http.server.BaseHTTPRequestHandler):
    """As much of an engine as one test needs; ``server.answers`` says what it answers."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.server.asked.append((self.command, parts.path, parse_qsl(parts.query), body))
        code, text = self.server.answers.get(
            parts.path, (HTTPStatus.NOT_FOUND, b'{"message":"no"}')
        )
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

    def address_string(self) -> str:
        return "test"

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path):
    with socketserver.UnixStreamServer(str(tmp_path / "s"), Handler) as server:
        server.asked, server.answers = [], {}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.api = Api(f"unix://{tmp_path / 's'}")
        yield server
        server.shutdown()
        thread.join()


def test_what_is_not_there_does_not_answer(tmp_path):
    assert not Api(f"unix://{tmp_path}/none").answers()
    assert not Api("ssh://machine").answers()
    assert not Api("tcp://127.0.0.1:nothing").answers()


def test_a_query_keeps_words_and_makes_json_of_the_rest(engine):
    engine.answers["/images/json"] = HTTPStatus.OK, b"[]"
    assert engine.api.get("/images/json", all=True, filters={"label": ["a=b"]}) == []
    assert engine.asked == [
        ("GET", "/images/json", [("all", "true"), ("filters", '{"label": ["a=b"]}')], b"")
    ]


def test_a_thing_that_is_not_there_is_no_error_where_that_is_the_question(engine):
    assert not engine.api.has("/images/none/json")
    assert not engine.api.delete("/images/none")
    engine.answers["/images/used"] = HTTPStatus.CONFLICT, b"{}"
    assert not engine.api.delete("/images/used")


def test_what_the_engine_says_against_it_is_kept(engine):
    engine.answers["/x"] = HTTPStatus.INTERNAL_SERVER_ERROR, b'{"message":"disk full"}'
    with pytest.raises(EngineError, match="disk full") as caught:
        engine.api.get("/x")
    assert caught.value.code == HTTPStatus.INTERNAL_SERVER_ERROR


def test_an_archive_is_sent_piece_by_piece_and_the_news_come_back(engine):
    engine.answers["/images/create"] = HTTPStatus.OK, b'{"status":"a"}\n{"status":"b"}\n'
    query = [("changes", "ENV A=1"), ("changes", "ENV B=2")]
    news = engine.api.work("/images/create", iter([b"ab", b"c"]), timeout=5, query=query)
    assert [item["status"] for item in news] == ["a", "b"]
    assert engine.asked == [("POST", "/images/create", query, b"abc")]


def test_a_failure_amid_the_news_is_one(engine):
    engine.answers["/build"] = HTTPStatus.OK, b'{"stream":"a"}\n{"error":"step 3 failed"}\n'
    with pytest.raises(EngineError, match="step 3 failed"):
        list(engine.api.work("/build", b"", timeout=5, query=[]))
