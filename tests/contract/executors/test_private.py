"""Private repositories, on a real engine and a real cluster: they build, and the token stays."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import uuid

import pytest

from jupyterhub_imagebuilder.builds.events import LogLine
from jupyterhub_imagebuilder.builds.ports import Ended
from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors import fetcher
from jupyterhub_imagebuilder.executors.private import LOGIN_FOLDER
from tests.unit.executors.requests import make_request

from .cluster import ClusterHarness, kubectl
from .engine import DockerHarness
from .private_git import LOGIN, TOKEN, WRONG, PrivateHost, dockerfile, repository

SECRETS = (TOKEN, base64.b64encode(LOGIN.encode()).decode())
#: What a step of a Dockerfile can see.
DUMP = (
    "RUN id; env; cat /proc/self/environ /proc/1/environ /proc/self/mountinfo | tr '\\0' '\\n';"
    " cat /src/.git/config; cat /src/.git/logs/HEAD;"
    " find / -xdev -name '*gitconfig*' -exec cat {} + ; ls -la / /src; echo the-end-of-the-dump"
)


@pytest.fixture(
    params=[
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.timeout(240)]),
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.timeout(300)]),
    ]
)
async def harness(request):
    if request.param == "docker":
        made = DockerHarness()
    else:
        made = ClusterHarness(
            request.getfixturevalue("engine"), request.getfixturevalue("service_account")
        )
    async with made.running() as found:
        yield found


@pytest.fixture
async def host(tmp_path):
    async with PrivateHost(tmp_path).running(os.environ["IB_NODE_ADDRESS"]) as found:
        yield found


def request_for(harness, host, name, commit, ref="main"):
    registry = "" if isinstance(harness, DockerHarness) else os.environ["IB_REGISTRY"]
    made = make_request(host.url(name), commit=commit, registry=registry, salt=uuid.uuid4().hex)
    spec = dataclasses.replace(made.spec, provider="gitea", ref=ref)
    return dataclasses.replace(made, resolved=dataclasses.replace(made.resolved, spec=spec))


def lend(harness, provider):
    harness.executor.login_of = lambda spec: provider.clone_login(spec.repository)


async def build(harness, request, look=None):
    """The claim, the log's text, and how it ended.

    :param look: is called when the first line of the log is there.
    """
    claim = await harness.executor.claim(request)
    texts = []
    async for said in harness.executor.follow(claim):
        if isinstance(said, LogLine):
            if not texts and look:
                await asyncio.to_thread(look, claim)
            texts.append(said.text)
        if isinstance(said, Ended):
            return claim, "\n".join(texts), said.error
    raise AssertionError


async def test_a_private_repository_builds_and_its_token_is_nowhere(harness, host):
    commit = repository(
        host.base / "team" / "secret-project",
        {"Dockerfile": dockerfile("COPY . /src", DUMP), "data.txt": "a private line"},
    )
    provider = host.provider()
    lend(harness, provider)
    spec = provider.from_url(f"{host.url('team/secret-project')}.git", "main")
    assert (await provider.resolve(spec)).commit == commit
    known = []

    claim, log, error = await build(
        harness,
        request_for(harness, host, "team/secret-project", commit),
        lambda claim: known.append(everything_known(harness, claim)),
    )

    assert error is None, log
    assert "the-end-of-the-dump" in log
    assert f"url = {host.url('team/secret-project')}" in log
    for secret in SECRETS:
        assert secret not in log
        assert secret not in known[0]
        if isinstance(harness, DockerHarness):
            assert not await asyncio.to_thread(in_image, harness, claim, secret)
    if isinstance(harness, DockerHarness):
        assert await asyncio.to_thread(in_image, harness, claim, "a private line")
    else:
        await secrets_go(harness, claim)


async def test_links_to_the_login_lead_nowhere(harness, host):
    links = dict.fromkeys(("environment.yml", "apt.txt"), f"->{LOGIN_FOLDER}/{fetcher.CONFIG}")
    commit = repository(
        host.base / "team" / "links",
        {
            "Dockerfile": dockerfile("COPY . /src", "RUN cat /src/environment.yml"),
            **links,
        },
    )
    lend(harness, host.provider())

    _, log, error = await build(harness, request_for(harness, host, "team/links", commit))

    assert error.reason is Reason.BUILD_FAILED
    # it was gone before anything was read: a link to what is there is refused by its name
    assert "outside of the repository" not in log
    assert "cat /src/environment.yml" in log
    assert not any(secret in log + error.message for secret in SECRETS)


async def test_the_token_is_for_this_repository_and_not_for_its_submodules(harness, host):
    repository(host.base / "team" / "other", {"README.md": "of someone else"})
    commit = repository(
        host.base / "team" / "one",
        {"Dockerfile": dockerfile("COPY . /src", "RUN ls -R /src")},
        submodule=host.url("team/other"),
    )
    lend(harness, host.provider())

    _, log, error = await build(harness, request_for(harness, host, "team/one", commit))

    assert error is not None
    assert "of someone else" not in log
    assert host.asked_with_login() == {"/team/one"}


async def test_a_token_that_was_revoked_is_told(harness, host):
    commit = repository(host.base / "team" / "one", {"Dockerfile": dockerfile()})
    host.token_file.write_text(WRONG)
    lend(harness, host.provider())

    _, log, error = await build(harness, request_for(harness, host, "team/one", commit))

    assert (error.reason, error.message) == (Reason.REF_NOT_FOUND, fetcher.REFUSED)
    assert "fatal: could not read Username" in log
    assert WRONG not in log


async def test_without_the_admins_word_a_build_has_no_token(harness, host):
    commit = repository(host.base / "team" / "one", {"Dockerfile": dockerfile()})
    lend(harness, host.provider(private_repositories=[f"https://{host.address}/team/two"]))

    _, _, error = await build(harness, request_for(harness, host, "team/one", commit))

    assert error.reason in (Reason.REF_NOT_FOUND, Reason.BUILD_FAILED)
    assert host.asked_with_login() == set()


def everything_known(harness, claim):
    """What those see who may look at pods, or at containers."""
    name = claim.request.name
    if isinstance(harness, DockerHarness):
        with contextlib.closing(harness.client()) as client:
            return json.dumps(client.inspect_container(name))
    namespace = harness.executor.namespace
    pod = ("-n", namespace, "pod", name)
    return "\n".join(
        [
            kubectl("get", *pod, "-o", "json"),
            kubectl("describe", *pod),
            kubectl("get", "events", "-n", namespace, "-o", "json"),
            kubectl("logs", "-n", namespace, name, "-c", "fetcher"),
        ]
    )


def in_image(harness, claim, text):
    with contextlib.closing(harness.client()) as client:
        rest = b""
        for chunk in client.get_image(str(claim.request.image)):
            if text.encode() in rest + chunk:
                return True
            rest = chunk[-100:]
    return False


async def secrets_go(harness, claim):
    """What was made for the pod goes with it."""
    label = "app.kubernetes.io/managed-by=jupyterhub-imagebuilder"
    listing = ("get", "secrets", "-n", harness.executor.namespace, "-l", label, "-o", "name")
    assert await asyncio.to_thread(kubectl, *listing)
    await harness.executor.remove(claim)
    for _ in range(60):
        if not await asyncio.to_thread(kubectl, *listing):
            return
        await asyncio.sleep(1)
    raise AssertionError("the Secret is still there")
