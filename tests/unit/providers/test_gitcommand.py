from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.providers import gitcommand
from jupyterhub_imagebuilder.providers.gitcommand import (
    GitFailedError,
    GitMissingError,
    Login,
    git_folder,
)

STUB = """#!/bin/sh
{body}
"""


@pytest.fixture
def stub_git(tmp_path, monkeypatch):
    """Put a script in git's place."""

    def put(body: str) -> None:
        program = tmp_path / "bin" / "git"
        program.parent.mkdir(exist_ok=True)
        program.write_text(STUB.format(body=body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put


async def test_the_environment_is_ours_alone(stub_git, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    monkeypatch.setenv("SSL_CERT_FILE", "/ca.crt")
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    stub_git("env")
    with git_folder(["https", "git"], 7.4) as folder:
        lines = (await folder.run("x")).splitlines()
        environment = dict(line.split("=", 1) for line in lines)
        assert environment["HOME"] == str(folder.path)
    expected = {
        "GIT_ALLOW_PROTOCOL": "https:git",
        "GIT_ASKPASS": "",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_HTTP_LOW_SPEED_TIME": "7",
        "GIT_SSL_CAINFO": "/ca.crt",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "https_proxy": "http://proxy.example",
    }
    assert expected.items() <= environment.items()
    assert "JUPYTERHUB_API_TOKEN" not in environment
    assert "GIT_DIR" not in environment
    assert not folder.path.exists()


async def test_arguments_reach_git_as_they_are(stub_git):
    stub_git('printf "%s\\n" "$@"')
    with git_folder(["https"], 1, settings=["a.b=c"]) as folder:
        printed = (await folder.run("ls-remote", "--", "$(id); x")).splitlines()
    assert printed[-3:] == ["ls-remote", "--", "$(id); x"]
    assert "http.followRedirects=false" in printed
    assert "a.b=c" in printed


async def test_a_failure_carries_what_git_said(stub_git):
    stub_git("echo out; echo fatal: no >&2; exit 128")
    with git_folder(["https"], 1) as folder, pytest.raises(GitFailedError) as caught:
        await folder.run("x")
    assert caught.value.messages == "fatal: no\n"
    assert not caught.value.cut


async def test_without_git_there_is_an_error_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with git_folder(["https"], 1) as folder, pytest.raises(GitMissingError):
        await folder.run("x")


async def test_output_has_a_limit(stub_git, monkeypatch):
    monkeypatch.setattr(gitcommand, "_OUTPUT_LIMIT", 10)
    stub_git("echo 12345678901234567890")
    with git_folder(["https"], 1) as folder, pytest.raises(GitFailedError) as caught:
        await folder.run("x")
    assert caught.value.cut


async def test_the_folder_has_a_limit(stub_git, monkeypatch):
    monkeypatch.setattr(gitcommand, "_SIZE_INTERVAL", 0)
    stub_git("mkdir a; head -c 100000 /dev/zero > a/big; exec sleep 1000")
    with git_folder(["https"], 1, size_limit=50000) as folder:
        with pytest.raises(GitFailedError) as caught:
            await folder.run("x")
        assert caught.value.cut


async def test_what_stays_below_the_limit_goes_through(stub_git):
    stub_git("head -c 100 /dev/zero > small; echo done")
    with git_folder(["https"], 1, size_limit=50000) as folder:
        assert await folder.run("x") == "done\n"


def running(words: str) -> list[str]:
    """Command lines of living processes that hold these words; dead ones have none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            line = path.read_bytes().decode(errors="replace")
            found += [line] if words in line else []
    return found


async def test_cancelling_kills_git_and_its_helpers(stub_git, tmp_path):
    os.mkfifo(tmp_path / "started")
    stub_git(f"sh -c 'echo > {tmp_path}/started; sleep 1000; exit' & wait")
    with git_folder(["https"], 1) as folder:
        run = asyncio.create_task(folder.run("x"))
        await asyncio.to_thread((tmp_path / "started").read_text)
        assert len(running(str(tmp_path))) >= 2
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert running(str(tmp_path)) == []


@pytest.mark.parametrize("turns", range(1, 9))
async def test_cancelling_while_git_starts_leaves_nothing(stub_git, tmp_path, turns):
    stub_git(f"sh -c 'sleep 1000; : {tmp_path}' & wait")
    with git_folder(["https"], 1) as folder:
        run = asyncio.create_task(folder.run("x"))
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert running(str(tmp_path)) == []


async def test_a_login_is_in_a_file_that_only_we_can_read(stub_git):
    stub_git('cat "$GIT_CONFIG_GLOBAL"; stat -c %a "$GIT_CONFIG_GLOBAL"; env; echo "$@"')
    login = Login("https://git.example.org:8443/", "oauth2", "secret")
    assert "secret" not in repr(login)
    with git_folder(["https"], 1, login=login) as folder:
        printed = await folder.run("x")
    lines = printed.splitlines()
    assert lines[:3] == [
        '[http "https://git.example.org:8443/"]',
        '\textraHeader = "Authorization: Basic b2F1dGgyOnNlY3JldA=="',
        "600",
    ]
    assert "secret" not in printed
    assert "b2F1dGgyOnNlY3JldA" not in "".join(lines[2:])


@pytest.mark.parametrize("origin", ['https://x/"]\n[core]', "https://x", "ext::x/"])
def test_a_login_is_for_an_origin(origin):
    with (
        pytest.raises(ValueError, match="origin"),
        git_folder(["https"], 1, login=Login(origin, "a", "b")),
    ):
        pass


async def test_our_cas_stand_beside_the_system_s(stub_git, tmp_path, monkeypatch):
    for name in ("system", "ours"):
        (tmp_path / name).write_text(f"{name}\n")
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system"))
    stub_git('cat "$GIT_SSL_CAINFO"')
    with git_folder(["https"], 1, ca_file=str(tmp_path / "ours")) as folder:
        assert (await folder.run("x")).split() == ["system", "ours"]
