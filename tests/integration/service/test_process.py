from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.integration.service.conftest import DIGEST, until

CI = {"Authorization": "Bearer ci-token"}
HUB = {
    "JUPYTERHUB_SERVICE_NAME": "builder",
    "JUPYTERHUB_SERVICE_PREFIX": "/services/builder/",
    "JUPYTERHUB_API_TOKEN": "own-token",
}


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


async def read(session, url, **kwargs):
    async with session.get(url, **kwargs) as response:
        return response.status, await response.text()


async def test_it_answers_at_once_and_ends_at_once(start, capsys):
    service = start()
    seconds = await service.first_answer()
    await service.until_ready()
    code, ending = await service.end()
    with capsys.disabled():
        sys.stdout.write(f" first answer after {seconds:.3f} s, ended within {ending:.3f} s ")
    assert code == 0
    assert ending < 3.0
    assert "stub executor closed" in service.log
    assert not any(word in service.log for word in ("Traceback", "Unclosed", "never awaited"))


async def test_a_build_without_a_hub(start, session, tmp_path):
    service = start()
    await service.until_ready()
    document = json.dumps({"repository": "https://git.example.org/org/repo@main"})
    async with session.post(service.url + "api/builds", data=document, headers=CI) as response:
        assert response.status == 202, service.log
        build = await response.json()
    async with session.get(f"{service.url}api/builds/{build['id']}/events", headers=CI) as stream:
        while b"Step 1/1" not in (line := await stream.content.readline()):
            assert line
        (tmp_path / "go").touch()
        assert DIGEST in (await stream.read()).decode()
    status, text = await read(session, f"{service.url}api/builds/{build['id']}", headers=CI)
    assert (status, json.loads(text)["phase"]) == (200, "built")
    # the second time by BinderHub's API: found, one frame
    spec = "https%3A%2F%2Fgit.example.org%2Forg%2Frepo/main"
    status, text = await read(
        session, URL(f"{service.url}build/git/{spec}?token=ci-token", encoded=True)
    )
    assert text.startswith('data: {"phase": "ready"')
    assert text.count("data: ") == 1
    image = json.loads(text.removeprefix("data: "))["imageName"]
    vouched = json.dumps({"image": image})
    async with session.post(service.url + "api/images", data=vouched, headers=CI) as response:
        assert await response.json() == {"image": image}
    assert "ci-token" not in service.log
    assert (await read(session, service.url + "health"))[0] == 200
    versions = json.loads((await read(session, service.url + "versions"))[1])
    assert versions["builder_info"] == {"build_image": "repo2docker:stub"}


@pytest.mark.parametrize(
    ("token", "status"),
    [("ci-token", 200), ("other-token", 200), ("own-token", 200), ("wrong", 401), (None, 401)],
)
async def test_who_may_talk_to_it(start, session, token, status):
    service = start(env={"JUPYTERHUB_API_TOKEN": "own-token"})
    await service.until_ready()
    headers = {"Authorization": f"token {token}"} if token else {}
    assert (await read(session, service.url + "api/builds", headers=headers))[0] == status


async def test_a_hub_that_is_away_is_503(start, session):
    hub = HUB | {"JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api"}
    service = start(env=hub)
    await service.until_ready()
    own = {"Authorization": "Bearer own-token"}
    assert (await read(session, service.url + "api/builds", headers=own))[0] == 200
    user = {"Authorization": "Bearer user-token"}
    status, text = await read(session, service.url + "api/builds", headers=user)
    assert (status, json.loads(text)["reason"]) == (503, "service-unavailable")
    assert "user-token" not in service.log


async def test_while_kubernetes_is_away_it_answers_and_waits(start, settings, session):
    settings["StubExecutor"]["away"] = True
    service = start()
    await service.first_answer()
    await service.until_logged("cannot start yet")
    status, text = await read(session, service.url + "api/builds", headers=CI)
    assert status == 503
    assert "Kubernetes does not answer." in json.loads(text)["message"]
    status, text = await read(session, service.url + "build/gh/a/b/c", headers=CI)
    assert (status, "service-unavailable" in text) == (200, True)
    status, text = await read(session, service.url + "health")
    assert (status, json.loads(text)["ok"]) == (503, False)
    assert service.process.poll() is None
    assert (await service.end())[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_in_spite_of_open_streams(start, session, number):
    service = start()
    await service.until_ready()
    document = json.dumps({"repository": "https://git.example.org/org/repo"})
    async with session.post(service.url + "api/builds", data=document, headers=CI) as response:
        build = await response.json()
    async with session.get(f"{service.url}api/builds/{build['id']}/events", headers=CI) as stream:
        await stream.content.readline()
        code, seconds = await service.end(number)
        await stream.read()
    assert code == 0
    assert seconds < 3.0


async def test_sigint_ends_it_although_the_hub_ignores_it(start):
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    service = start(wrap=[sys.executable, "-c", ignoring])
    await service.until_ready()
    code, seconds = await service.end(signal.SIGINT)
    assert code == 0
    assert seconds < 3.0


async def test_it_ends_with_the_hub_that_started_it(start):
    parent = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid); p.wait()"
    service = start(wrap=[sys.executable, "-u", "-c", parent], env=HUB)
    await service.until_ready()
    service.process.kill()
    await service.exit_code()
    child = int(service.log.split()[0])
    await until(lambda: asyncio.to_thread(is_over, child), lambda: service.log)
    assert "the hub is gone" in service.log


def is_over(pid):
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("c.py", "c.ImageBuilder.image_prefix =", "c.py fails in line 1: SyntaxError"),
        ("c.json", "{", "c.json fails: JSONDecodeError"),
        ("c.py", "c.ImageBuilder.imgae_prefix = 'x'", "did you mean image_prefix"),
        ("c.py", "", "Set c.ImageBuilder.image_prefix"),
        ("c.py", "c.ImageBuilder.image_prefix = 'hub-'", "has to begin with the host"),
        ("c.py", "c.BinderHub.image_prefix = 'x'", "here it is c.ImageBuilder.image_prefix"),
        (
            "c.py",
            """
c.ImageBuilder.image_prefix = 'a.b/c'
c.ImageBuilder.port = 0
c.ImageBuilder.executor_class = 'stubs.StubExecutor'
c.StubExecutor.go_fiel = 'x'
""",
            "There is no option c.StubExecutor.go_fiel; did you mean go_file.",
        ),
    ],
)
async def test_a_mistake_in_the_configuration_is_one_sentence(start, name, config, words):
    service = start(config, name=name)
    assert await service.exit_code() == 1
    assert words in service.log
    assert "Traceback" not in service.log


async def test_a_port_that_is_taken_is_one_sentence(start, settings):
    with socket.create_server(("127.0.0.1", settings["ImageBuilder"]["port"])):
        service = start()
        assert await service.exit_code() == 1
    assert "Cannot listen on 127.0.0.1:" in service.log
    assert "Traceback" not in service.log


@pytest.mark.parametrize("config", ["{", '{"ImageBuilder": {}, "StubExecutor": {"x": 1}}'])
async def test_a_mistake_does_not_take_the_hub_down(start, settings, session, config):
    url = f"http://127.0.0.1:{settings['ImageBuilder']['port']}"
    service = start(config, env=HUB | {"JUPYTERHUB_SERVICE_URL": url})
    await service.first_answer()
    own = {"Authorization": "Bearer own-token"}

    async def refused():
        return "mistake" in (await read(session, service.url + "api/builds", headers=own))[1]

    await until(refused, lambda: service.log)
    assert (await read(session, service.url + "health"))[0] == 503
    assert (await service.end())[0] == 0
