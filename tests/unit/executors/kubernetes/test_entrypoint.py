"""The build pod's program, run as the pod runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.executors.kubernetes import manifest

FAKE = """\
#!{python} -I
import json, os, sys, time
{body}
"""


@pytest.fixture
def program(tmp_path):
    """Start the entry point with a repo2docker of the test's own."""
    started = []

    def start(body="", *, listening=True, **environment):
        tool = tmp_path / "jupyter-repo2docker"
        tool.write_text(FAKE.format(python=sys.executable, body=body))
        tool.chmod(0o755)
        path = tmp_path / "engine.sock"
        if listening:
            engine = socket.socket(socket.AF_UNIX)
            engine.bind(str(path))
            engine.listen()
            started.append(engine.close)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", manifest.entrypoint(), "--ref", "abc; ls", "repo"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "DOCKER_HOST": f"unix://{path}",
                "IMAGEBUILDER_LINGER": "0",
                "IMAGEBUILDER_ENGINE_WAIT": "5",
                "IMAGEBUILDER_TERMINATION_LOG": str(tmp_path / "words"),
                "TMPDIR": str(tmp_path),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process.kill)
        return process

    yield start
    for stop in started:
        stop()


def test_arguments_and_the_provider_reach_repo2docker(program):
    process = program(
        "print(json.dumps(sys.argv[1:]), flush=True)\n"
        "print(open(sys.argv[2]).read(), file=sys.stderr)"
    )
    out, _ = process.communicate(timeout=20)

    words = json.loads(out.splitlines()[0])
    assert words[0] == "--config"
    assert Path(words[1]).is_absolute()
    assert words[2:] == ["--ref", "abc; ls", "repo"]
    assert "content_providers = [Git]" in out
    assert process.returncode == 0


def test_its_exit_code_and_last_words_are_kept(program, tmp_path):
    body = """\
print(json.dumps({"message": "x" * 5000 + "\\n"}))
print(json.dumps({"message": "step failed\\n", "phase": "building"}))
print(json.dumps({"message": "Error during build", "exc_info": "Traceback " * 900}), end="")
sys.exit(7)"""
    process = program(body)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 7
    assert out.count("Traceback") == 900
    assert (tmp_path / "words").read_text() == "step failed\nError during build"


def test_an_engine_that_is_not_there_has_an_exit_code_of_its_own(program, tmp_path):
    process = program(listening=False, IMAGEBUILDER_ENGINE_WAIT="0")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 69
    assert out == "The container engine of this node did not answer within 0 seconds.\n"
    assert (tmp_path / "words").read_text() == out.strip()


def test_a_wish_to_end_is_passed_on(program):
    process = program("print('up', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "up\n"

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    process.stdout.close()
