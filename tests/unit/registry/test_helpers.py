"""Credential helpers, as programs that are really run."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys

import pytest

from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.credentials import Credentials
from jupyterhub_imagebuilder.registry.helpers import Helper, ask
from jupyterhub_imagebuilder.registry.sources import FileCredentials, SecretCredentials

HOST = "registry.example.org"
GOOD = 'print(json.dumps({"ServerURL": asked, "Username": "me", "Secret": "s3cret"}))'


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a helper whose program is the rest of a Python script."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def install(script, name="test"):
        path = tmp_path / f"docker-credential-{name}"
        start = "import json, os, sys, time\nassert sys.argv[1:] == ['get'], sys.argv\n"
        start += "asked = sys.stdin.readline().strip()\n"
        start += f"open({str(tmp_path / 'asked')!r}, 'a').write(asked + chr(10))\n"
        path.write_text(f"#!{sys.executable} -IS\n{start}{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return Helper(name, HOST)

    install.asked = lambda: (tmp_path / "asked").read_text().split()
    return install


async def test_user_and_password(install):
    assert await ask(install(GOOD)) == Credentials("me", "s3cret")
    assert install.asked() == [HOST]


async def test_token_user_means_an_identity_token(install):
    helper = install('print(json.dumps({"Username": "<token>", "Secret": "s3cret"}))')
    assert await ask(helper) == Credentials(identity_token="s3cret")


async def test_unknown_host(install):
    helper = install('print("credentials not found in native keychain"); sys.exit(1)')
    assert await ask(helper) is None


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('print("s3cret is not valid"); sys.exit(1)', r"failed \(exit code 1\)"),
        ('print("s3cret")', "other than credentials"),
        ('print("[]")', "other than credentials"),
        ('print(json.dumps({"Username": "me", "Secret": ""}))', "other than credentials"),
        ('print(json.dumps({"Username": 1, "Secret": "s3cret"}))', "other than credentials"),
        ('print("s3cret" * 100_000)', "more than credentials"),
        ('print("s3cret" * 100_000); time.sleep(60)', "more than credentials"),
        ("os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
async def test_helper_that_fails_says_nothing_of_its_secrets(install, script, words, caplog):
    caplog.set_level(1)
    with pytest.raises(RegistryDenied, match=words) as caught:
        await ask(install(script))
    assert HOST in caught.value.message
    assert "s3cret" not in caught.value.message + caplog.text + repr(caught.value.__context__)


async def test_helper_that_does_not_come_back(install):
    with pytest.raises(RegistryUnavailable, match="docker-credential-test does not answer"):
        await ask(install("time.sleep(60)"), limit=0.2)


async def test_cancelled_question_ends_the_helper_and_what_it_started(install, tmp_path):
    mark = tmp_path / "pid"
    os.mkfifo(mark)
    helper = install(
        "child = os.fork()\n"
        f"if child: open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        "time.sleep(60)"
    )
    asking = asyncio.create_task(ask(helper))
    pids = [int(pid) for pid in (await asyncio.to_thread(mark.read_text)).split()]
    watched = [os.pidfd_open(pid) for pid in pids]
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    for fd in watched:
        assert select.select([fd], [], [], 5)[0] == [fd]  # readable: it has ended
        os.close(fd)


@pytest.mark.parametrize("name", ["absent", "../test", "/bin/true", "-x", "a b", "", "x;y", "\0"])
async def test_helper_that_is_no_program_here(install, name):
    install(GOOD)
    with pytest.raises(RegistryDenied, match="not installed"):
        await ask(Helper(name, HOST))


async def test_answer_is_kept_for_a_while_and_renewed_after_a_refusal(install, tmp_path, clock):
    helper = install(GOOD)
    path = tmp_path / "config.json"
    path.write_text(f'{{"credHelpers": {{"{HOST}": "{helper.name}"}}}}')
    source = FileCredentials(str(path), HOST, clock=clock)
    for _ in range(3):
        assert await source.get() == Credentials("me", "s3cret")
    assert len(install.asked()) == 1
    clock.time += 59
    await source.renew()
    assert len(install.asked()) == 1
    clock.time += 1
    await source.renew()
    assert len(install.asked()) == 2
    clock.time += 300
    await source.get()
    assert len(install.asked()) == 3


async def test_helper_that_fails_is_left_alone_for_a_moment(install, clock):
    helper = install("sys.exit(3)")

    async def read():
        return f'{{"credsStore": "{helper.name}"}}'.encode()

    source = SecretCredentials(read, HOST, clock=clock)
    for _ in range(3):
        with pytest.raises(RegistryDenied, match="exit code 3"):
            await source.get()
    assert len(install.asked()) == 1
    install(GOOD)
    clock.time += 10
    assert await source.get() == Credentials("me", "s3cret")


async def test_many_who_ask_at_once_run_one_program(install, clock):
    helper = install(GOOD)

    async def read():
        return f'{{"credsStore": "{helper.name}"}}'.encode()

    source = SecretCredentials(read, HOST, clock=clock)
    await asyncio.gather(*(source.get() for _ in range(8)))
    assert len(install.asked()) == 1
