"""The command against the real service, each as a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import pytest

from tests.integration.service.conftest import DIGEST, HANG

REPO = "git/https%3A%2F%2Fgit.example.org%2Forg%2Frepo"
LIMIT = 4 * HANG


class Command:
    def __init__(self, process):
        self.process = process
        self.read = []  # lines of standard error

    async def line(self):
        """The next line of the log."""
        return (await asyncio.wait_for(self.process.stdout.readline(), LIMIT)).decode()

    async def told(self, words):
        """Wait for a line of standard error."""
        line = ""
        while words not in line:
            line = (await asyncio.wait_for(self.process.stderr.readline(), LIMIT)).decode()
            assert line, f"no {words}"
            self.read.append(line)

    async def end(self):
        """Exit code, standard output, standard error."""
        out, err = await asyncio.wait_for(self.process.communicate(), LIMIT)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
async def build(environment, tmp_path):
    """Start the command with ``--url`` of a service."""
    processes = []

    async def build(service, *words, token="ci-token", **variables):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jupyterhub_imagebuilder", "build"),
            *("--url", service.url, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment | {"JUPYTERHUB_API_TOKEN": token} | variables,
            cwd=tmp_path,
        )
        processes.append(process)
        return Command(process)

    yield build
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_build_and_the_same_image_again(start, build, tmp_path, registry):
    service = start()
    await service.until_ready()
    command = await build(service, f"{REPO}/main")
    assert await command.line() == "Step 1/1\n"
    (tmp_path / "go").touch()
    code, out, err = await command.end()
    assert (code, out) == (0, ""), err
    stages = err.splitlines()
    assert all(line.startswith(f"{REPO}/main: ") for line in stages)
    assert stages[-1].endswith(f"@{DIGEST}")
    assert any("building" in line for line in stages)

    again = await build(service, "--json", f"{REPO}/main")
    code, out, _ = await again.end()
    document = json.loads(out)
    (one,) = document["builds"]
    assert (code, document["exit_code"]) == (0, 0)
    assert (one["asked"], one["phase"], one["digest"]) == (f"{REPO}/main", "built", DIGEST)
    assert one["image"].startswith(f"{registry}/team/")

    quiet = await build(service, "--quiet", "https://git.example.org/org/repo@main")
    assert await quiet.end() == (0, f"{one['image']}\n", "")


async def test_several_at_once_have_the_worst_exit_code(start, build, tmp_path):
    (tmp_path / "list").write_text(f"# all\n{REPO}/one\n{REPO}/absent\n")
    service = start()
    await service.until_ready()
    command = await build(service, "--json", "--file", "list", f"{REPO}/two")
    await command.told("] Step 1/1")
    (tmp_path / "go").touch()
    code, out, err = await command.end()
    assert code == 2, err
    builds = {one["asked"]: one for one in json.loads(out)["builds"]}
    assert {name: one["reason"] for name, one in builds.items()} == {
        f"{REPO}/one": None,
        f"{REPO}/two": None,
        f"{REPO}/absent": "ref-not-found",
    }
    told = "".join(command.read) + err
    assert f"{REPO}/absent: There is no absent in https://git.example.org/org/repo." in told


async def test_a_service_that_starts_again_in_the_middle(start, build, tmp_path):
    service = start()
    await service.until_ready()
    command = await build(service, f"{REPO}/main")
    assert await command.line() == "Step 1/1\n"
    await service.end(signal.SIGKILL)
    (tmp_path / "go").touch()
    await command.told("trying again")
    await start().until_ready()
    code, _, err = await command.end()
    assert code == 0, err


async def test_an_interrupted_command_leaves_the_build(start, build, tmp_path):
    service = start()
    await service.until_ready()
    command = await build(service, f"{REPO}/main")
    await command.line()
    command.process.send_signal(signal.SIGINT)
    code, _, err = await command.end()
    assert code == 130
    assert f"POST {service.url}api/builds/" in err
    assert "Traceback" not in err
    (tmp_path / "go").touch()
    assert (await (await build(service, "--quiet", f"{REPO}/main")).end())[0] == 0


async def test_an_interrupted_command_can_cancel(start, build):
    service = start()
    await service.until_ready()
    command = await build(service, "--json", "--cancel-on-interrupt", f"{REPO}/main")
    await command.told("building")
    command.process.send_signal(signal.SIGINT)
    code, out, err = await command.end()
    document = json.loads(out)
    assert code == document["exit_code"] == 130, err
    assert document["builds"][0]["phase"] == "cancelled"


async def test_a_wrong_token_and_no_service(start, build):
    service = start()
    await service.until_ready()
    code, _, err = await (await build(service, f"{REPO}/main", token="wrong-token")).end()
    assert (code, "wrong-token" in err) == (2, False)
    assert "authentication-required" in err
    await service.end()
    command = await build(service, "--patience", "0", f"{REPO}/main")
    code, _, err = await command.end()
    assert code == 3
    assert err.count("\n") == 2
    assert "ci-token" not in err + service.log


async def test_what_is_no_command(start, build):
    service = start()
    code, out, err = await (await build(service, "--file", "absent")).end()
    assert (code, out) == (2, "")
    start_of_all = "jupyterhub-imagebuilder build: "
    assert err == f"{start_of_all}The list absent cannot be read: No such file or directory.\n"
    code, out, _ = await (await build(service, "--help")).end()
    assert code == 0
    assert "exit codes:" in out


async def test_nobody_reads_the_log_any_more(start, build):
    service = start()
    await service.until_ready()
    command = await build(service, f"{REPO}/main")
    command.process.stdout._transport.close()
    code = await asyncio.wait_for(command.process.wait(), LIMIT)
    err = (await command.process.stderr.read()).decode()
    assert code == 128 + signal.SIGPIPE, err
    assert "Traceback" not in err
