"""The client against a small HTTP server of the test's own."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.executors.kubernetes.api import ApiError
from jupyterhub_imagebuilder.executors.kubernetes.client import KubernetesClient

from .clock import ManualClock

PODS = "/api/v1/namespaces/builds/pods"


class Impatient(ManualClock):
    """Pauses between attempts take no time."""

    async def sleep(self, seconds):
        self.time += seconds
        await asyncio.sleep(0)


class Server:
    def __init__(self):
        self.answers = []
        self.requests = []
        self.headers = {}  # of what is no stream

    async def handle(self, request):
        body = await request.read()
        self.requests.append((request.method, request.path, dict(request.query), body, request))
        answer = self.answers.pop(0)
        if isinstance(answer, list):
            response = web.StreamResponse()
            await response.prepare(request)
            for chunk in answer:
                if chunk is None:
                    request.transport.abort()
                    return response
                await response.write(chunk)
                await asyncio.sleep(0.001)
            return response
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        text = content if isinstance(content, str) else json.dumps(content)
        return web.Response(
            status=status, text=text, content_type="application/json", headers=self.headers
        )


@pytest.fixture
async def server():
    found = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


def config(port):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {"token": "secret-token"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }


@pytest.fixture
async def client(server, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config(server.port)))
    found = KubernetesClient(namespace="builds", clock=Impatient(), kubeconfig=str(path))
    yield found
    await found.close()


async def collect(stream):
    return [item async for item in stream]


async def test_the_token_travels_in_a_header_alone(server, client):
    server.answers = [{"items": []}]

    assert await client.list_pods("a=b", limit=1) == {"items": []}

    method, path, query, _, request = server.requests[0]
    assert (method, path) == ("GET", PODS)
    assert query == {"labelSelector": "a=b", "limit": "1"}
    assert request.headers["Authorization"] == "Bearer secret-token"
    assert "secret-token" not in str(request.url)


async def test_many_pods_are_listed_in_pages(server, client):
    server.answers = [
        {"metadata": {"resourceVersion": "7", "continue": "t&1"}, "items": [1, 2]},
        {"metadata": {"resourceVersion": "7"}, "items": [3]},
    ]

    found = await client.list_pods("a=b")

    assert found == {"metadata": {"resourceVersion": "7"}, "items": [1, 2, 3]}
    assert [query.get("continue") for _, _, query, *_ in server.requests] == [None, "t&1"]
    assert {query["limit"] for _, _, query, *_ in server.requests} == {"200"}


async def test_a_list_that_grew_too_old_between_two_pages_is_asked_for_at_once(server, client):
    server.answers = [
        {"metadata": {"continue": "t"}, "items": [1]},
        (410, {"message": "The provided continue parameter is too old"}),
        {"metadata": {}, "items": [1, 2]},
    ]

    assert (await client.list_pods("a=b"))["items"] == [1, 2]
    assert server.requests[-1][2] == {"labelSelector": "a=b"}


async def test_another_namespace_can_be_listed(server, client):
    server.answers = [{"items": []}]
    await client.list_pods("a=b", namespace="engines")

    assert server.requests[0][1] == "/api/v1/namespaces/engines/pods"


async def test_a_server_that_is_busy_is_asked_again(server, client):
    server.answers = [(429, {}), (503, "busy"), {"items": [1]}]

    assert await client.list_pods("a=b") == {"items": [1]}


async def test_but_not_for_ever(server, client):
    server.answers = [(500, {"message": "etcd is away"})] * 9

    with pytest.raises(ApiError, match="etcd is away") as failed:
        await client.list_pods("a=b")

    assert failed.value.code == 500
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [500, 409])
async def test_a_pod_is_created_once(server, client, status):
    server.answers = [(status, {"message": "no"})]

    with pytest.raises(ApiError) as failed:
        await client.create_pod({"kind": "Pod"})

    assert failed.value.code == status
    assert json.loads(server.requests[0][3]) == {"kind": "Pod"}
    assert len(server.requests) == 1


async def test_a_refusal_is_not_asked_again(server, client):
    server.answers = [(403, {"message": "pods is forbidden"})]

    with pytest.raises(ApiError) as failed:
        await client.list_pods("a=b")

    assert (failed.value.code, failed.value.words) == (403, "pods is forbidden")


async def test_what_is_not_there_is_none(server, client):
    server.answers = [(404, {}), (404, {})]

    assert await client.get_pod("x") is None
    assert await client.read_secret("x", "y") is None


@pytest.mark.parametrize("status", [200, 404, 409])
async def test_a_pod_is_deleted_by_its_uid(server, client, status):
    server.answers = [(status, {})]
    await client.delete_pod("x", "uid-1", 2)

    method, path, _, body, _ = server.requests[0]
    assert (method, path) == ("DELETE", f"{PODS}/x")
    assert json.loads(body) == {"preconditions": {"uid": "uid-1"}, "gracePeriodSeconds": 2}


async def test_a_secret_is_decoded(server, client):
    value = base64.b64encode(b"{}").decode()
    server.answers = [{"data": {"a": value}}, {"data": {"a": value}}, {}, {"data": {"a": "%"}}]

    assert await client.read_secret("x", "a") == b"{}"
    assert await client.read_secret("x", "b") is None
    assert await client.read_secret("x", "a") is None


async def test_events_come_in_order_of_time(server, client):
    late = {"reason": "late", "lastTimestamp": "2026-01-01T00:00:09Z"}
    early = {"reason": "early", "eventTime": "2026-01-01T00:00:01.5Z"}
    server.answers = [{"items": [late, early]}]

    assert await client.pod_events("uid-1") == [early, late]
    assert server.requests[0][2]["fieldSelector"] == "involvedObject.uid=uid-1"


async def test_a_watch_is_lines_of_json_in_chunks_of_any_size(server, client):
    server.answers = [[b'{"type": "A"}\n{"ty', b'pe": "B"}', b"\n"]]

    events = await collect(client.watch_pods("a=b", "7", 200))

    assert events == [{"type": "A"}, {"type": "B"}]
    query = server.requests[0][2]
    assert query["resourceVersion"] == "7"
    assert query["timeoutSeconds"] == "200"
    assert query["allowWatchBookmarks"] == "true"


async def test_a_watch_that_breaks_or_is_refused_says_so(server, client):
    server.answers = [[b'{"type": "A"}\n', None], (410, {"message": "too old"})]
    heard = []

    async def listen():
        async for event in client.watch_pods("a=b", "7", 200):
            heard.append(event)  # noqa: PERF401 -- what came before the error counts

    with pytest.raises(ApiError) as broken:
        await listen()
    with pytest.raises(ApiError) as refused:
        await collect(client.watch_pods("a=b", "7", 200))

    assert heard == [{"type": "A"}]
    assert broken.value.code is None
    assert refused.value.code == 410


async def test_a_log_is_bytes(server, client):
    server.answers = [[b"2026 \xff", b"\n"], (400, {"message": "waiting to start"})]

    assert b"".join(await collect(client.pod_log("x", "builder", follow=True))) == b"2026 \xff\n"
    with pytest.raises(ApiError, match="waiting to start"):
        await collect(client.pod_log("x", "builder", follow=False, tail=1))

    assert server.requests[0][1] == f"{PODS}/x/log"
    assert server.requests[0][2]["follow"] == "true"
    assert server.requests[1][2] == {
        "container": "builder",
        "timestamps": "true",
        "tailLines": "1",
    }


@pytest.mark.parametrize("text", ["not json", "[1]", ""])
async def test_nonsense_is_an_error_of_ours(server, client, text):
    server.answers = [(200, text)] * 9

    with pytest.raises(ApiError, match="cannot be read"):
        await client.list_pods("a=b")


async def test_a_server_that_is_not_there_is_an_error_of_ours(tmp_path, unused_tcp_port):
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config(unused_tcp_port)))
    client = KubernetesClient(namespace="builds", clock=Impatient(), kubeconfig=str(path))

    with pytest.raises(ApiError, match="does not answer"):
        await client.list_pods("a=b")
    with pytest.raises(ApiError, match="does not answer"):
        await collect(client.watch_pods("a=b", "1", 200))
    await client.close()


async def test_a_configuration_that_is_not_there_is_an_error_of_ours(tmp_path):
    client = KubernetesClient(
        namespace="builds", clock=Impatient(), kubeconfig=str(tmp_path / "nothing")
    )

    with pytest.raises(ApiError, match="no access to Kubernetes"):
        await client.list_pods("a=b")
    await client.close()


@pytest.mark.parametrize(
    ("said", "pause"),
    [("7", (7, 7)), ("3600", (10, 10)), ("0", (0.2, 1)), ("Fri, 01 Jan 2027", (0.2, 1))],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_names_a_time_is_asked_again_then(server, client, status, said, pause):
    server.headers = {"Retry-After": said}
    server.answers = [(status, {}), {"items": [1]}]
    begin = client._clock.now()

    assert await client.list_pods("a=b") == {"items": [1]}
    assert pause[0] <= client._clock.now() - begin <= pause[1] + 0.01


async def test_a_creation_that_was_turned_away_unread_is_tried_again(server, client):
    server.answers = [(429, {"message": "too many requests"}), {"kind": "Pod"}]

    assert await client.create_pod({"kind": "Pod"}) == {"kind": "Pod"}


async def test_how_a_connection_failed_is_for_the_log_alone(tmp_path, unused_tcp_port, caplog):
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config(unused_tcp_port)))
    client = KubernetesClient(namespace="builds", clock=Impatient(), kubeconfig=str(path))
    caplog.set_level("INFO")

    with pytest.raises(ApiError) as failed:
        await client.create_pod({})
    await client.close()

    assert failed.value.message == "Kubernetes does not answer."
    assert str(unused_tcp_port) in caplog.text


async def test_a_secret_is_created_and_there_already_is_fine(server, client):
    secret = {"kind": "Secret", "metadata": {"name": "a"}}
    server.answers = [(201, secret), (409, {"message": "already exists"})]

    await client.create_secret(secret)
    await client.create_secret(secret)

    method, path, _, body, _ = server.requests[0]
    assert (method, path) == ("POST", "/api/v1/namespaces/builds/secrets")
    assert json.loads(body) == secret


async def test_a_secret_that_is_refused_is_an_error(server, client):
    server.answers = [(403, {"message": "secrets is forbidden"})]

    with pytest.raises(ApiError, match="secrets is forbidden") as failed:
        await client.create_secret({"kind": "Secret"})
    assert failed.value.code == 403
