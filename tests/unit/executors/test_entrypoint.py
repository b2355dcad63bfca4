"""The build pod's program, run as the pod runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from jupyterhub_imagebuilder.executors import carried
from jupyterhub_imagebuilder.executors.entrypoint import CUT, FIRST_LINE, configuration

FAKE = """\
#!{python} -I
import json, os, sys, time
{body}
"""


class Engine:
    """Answers each connection with the next of its answers, the last one for ever.

    None takes the connection, and closes it without a word.
    """

    def __init__(self, path, answers):
        self.asked = []
        self._answers = list(answers)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(1000))
                answer = self._answers[0]
                self._answers = self._answers[1:] or self._answers
                if answer:
                    connection.sendall(answer + b"\r\n\r\n")


@pytest.fixture
def program(tmp_path):
    """Start the entry point with a repo2docker of the test's own."""
    started = []

    def start(body="", *, answers=(b"HTTP/1.0 200 OK",), first=(), last="repo", **environment):
        tool = tmp_path / "jupyter-repo2docker"
        tool.write_text(FAKE.format(python=sys.executable, body=body))
        tool.chmod(0o755)
        path = tmp_path / "engine.sock"
        if answers:
            engine = Engine(str(path), answers)
            started.append(engine.stop)
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                carried.program(),
                *first,
                "--ref",
                "abc; ls",
                last,
            ],
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

    first, second, *_ = out.splitlines()
    assert first == FIRST_LINE
    words = json.loads(second)
    assert words[0] == "--config"
    assert Path(words[1]).is_absolute()
    assert words[2:] == ["--ref", "abc; ls", "repo"]
    assert "content_providers = [closed(contentproviders.Git)]" in out
    assert process.returncode == 0


def test_another_content_provider_is_no_argument_of_repo2docker(program):
    process = program(
        "print(json.dumps(sys.argv[3:]), flush=True)\nprint(open(sys.argv[2]).read())",
        first=["--content-provider=Mercurial"],
    )
    out, _ = process.communicate(timeout=20)

    assert json.loads(out.splitlines()[1]) == ["--ref", "abc; ls", "repo"]
    assert "content_providers = [closed(Mercurial)]" in out
    assert process.returncode == 0


SHOW_CLONE = """
import subprocess
subprocess.run(["git", "clone", "--quiet", "--no-checkout", {url!r}, "there"], check=True)
print(subprocess.run(["git", "-C", "there", "cat-file", "-t", {commit!r}],
                     capture_output=True, text=True).stdout.strip())
print(json.dumps(sys.argv[3:]), flush=True)
"""


@pytest.fixture
def request_head(tmp_path):
    """A repository whose request has a commit that is in no branch: its address, that commit."""
    folder = tmp_path / "origin"
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for message in ("base", "request"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", message], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    commit = head.stdout.strip()
    subprocess.run([*git, "update-ref", "refs/pull/7/head", commit], check=True)
    subprocess.run([*git, "reset", "--quiet", "--hard", "HEAD~"], check=True)
    return folder.as_uri(), commit


@pytest.mark.parametrize(("first", "found"), [((), ""), (("--fetch=refs/pull/7/head",), "commit")])
def test_the_commit_of_a_request_is_fetched(program, request_head, tmp_path, first, found):
    url, commit = request_head
    body = f"os.chdir({str(tmp_path)!r})" + SHOW_CLONE.format(url=url, commit=commit)
    process = program(body, first=first)
    out, _ = process.communicate(timeout=20)

    *_, kind, words = out.splitlines()
    assert kind == found, out
    assert json.loads(words) == ["--ref", "abc; ls", "repo"]


def test_what_git_was_told_already_stays(program):
    process = program(
        "print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('GIT_')}))",
        first=["--fetch=refs/merge-requests/3/head"],
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="http.proxy",
        GIT_CONFIG_VALUE_0="http://proxy.example.org",
    )
    out, _ = process.communicate(timeout=20)

    told = json.loads(out.splitlines()[1])
    assert told == {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_CONFIG_VALUE_0": "http://proxy.example.org",
        "GIT_CONFIG_KEY_1": "remote.origin.fetch",
        "GIT_CONFIG_VALUE_1": (
            "+refs/merge-requests/3/head*:refs/remotes/origin/merge-requests/3/head*"
        ),
    }


@pytest.fixture
def fetch(monkeypatch, tmp_path):
    """Fetch a repository with these links, by their names, as repo2docker does."""
    folder = tmp_path / "checkout"
    made = {}

    class Git:
        def fetch(self, spec, output_dir, yield_output):
            (folder / "venv").mkdir(parents=True)
            (folder / "real.txt").touch()
            for name, target in made.items():
                (folder / name).symlink_to(target)
            yield f"{spec} {yield_output}"

    module = types.ModuleType("repo2docker")
    module.contentproviders = types.SimpleNamespace(Git=Git)
    monkeypatch.setitem(sys.modules, "repo2docker", module)

    def run(**links):
        made.update(links)
        settings = types.SimpleNamespace(Repo2Docker=types.SimpleNamespace())
        exec(configuration("Git"), {"c": settings})
        (provider,) = settings.Repo2Docker.content_providers
        return list(provider().fetch("spec", str(folder), yield_output=True))

    return run


@pytest.mark.parametrize(
    "target",
    ["real.txt", "../checkout/real.txt", "/usr/bin/env", "/nowhere/data", "../nowhere", "nowhere"],
)
def test_a_link_that_shows_nothing_of_the_container_is_fine(fetch, target):
    assert fetch(link=target) == ["spec True"]


@pytest.mark.parametrize(
    "target",
    [
        "{outside}/config.json",
        "../outside/config.json",
        "step/config.json",
        "/proc/self/environ",
        "/proc/999999999/environ",
        "/usr/..",
        "/",
    ],
)
def test_a_link_to_a_file_of_the_container_ends_the_build(fetch, tmp_path, target):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text("the-secret")
    links = {"step": str(outside)} if target.startswith("step") else {}
    links["apt.txt"] = target.format(outside=outside)

    with pytest.raises(ValueError, match="is a link to a file outside of the repository") as raised:
        fetch(**links)

    assert "the-secret" not in str(raised.value)


def test_what_is_too_long_is_cut_but_for_its_end(program):
    body = """\
for number in range(20000): print("line", number)
print("step failed"); sys.exit(3)"""
    process = program(body, IMAGEBUILDER_LOG_LIMIT="1000")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 3
    assert out.startswith(f"{FIRST_LINE}\nline 0\nline 1\n")
    assert out.endswith("line 19999\nstep failed\n")
    begin, _, end = out.partition(f"\n{CUT}\n")
    assert 1000 <= len(begin) < 200_000
    assert len(end) <= 4001


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
    process = program(answers=(), IMAGEBUILDER_ENGINE_WAIT="0")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 69
    sentence = "The container engine of this node did not answer within 0 seconds."
    assert out == f"{FIRST_LINE}\n{sentence}\n"
    assert (tmp_path / "words").read_text() == sentence


def test_a_wish_to_end_is_passed_on(program):
    process = program("print('up', flush=True); time.sleep(60)")
    assert process.stdout.readline() == f"{FIRST_LINE}\n"
    assert process.stdout.readline() == "up\n"

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize("answers", [(None,), (b"HTTP/1.0 503 Service Unavailable",)])
def test_an_engine_that_is_not_ready_is_none(program, answers):
    process = program("print('built')", answers=answers, IMAGEBUILDER_ENGINE_WAIT="0")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 69
    assert "built" not in out


def test_an_engine_that_starts_is_waited_for(program):
    answers = (None, b"HTTP/1.0 503 Service Unavailable", b"HTTP/1.1 200 OK")
    process = program("print('built')", answers=answers)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "built" in out


@pytest.mark.parametrize("stubborn", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
def test_what_takes_too_long_is_ended(program, stubborn):
    body = f"import signal; {stubborn}print('up', flush=True); time.sleep(60)"
    process = program(body, IMAGEBUILDER_DEADLINE="0.5")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 124
    assert "up" in out


def test_what_ends_in_time_knows_no_deadline(program):
    process = program("print('built')", IMAGEBUILDER_DEADLINE="30")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "built" in out


def fetched(folder, *, log="", error=""):
    """The folder as the fetcher leaves it."""
    folder.mkdir()
    (folder / "log").write_text(log)
    if error:
        (folder / "error").write_text(error)
    return f"--fetched={folder}"


def test_what_was_said_of_a_fetch_is_a_part_of_the_log(program, tmp_path):
    first = fetched(tmp_path / "fetched", log="Cloning into bare repository\nremote: done\n")
    out, _ = program("print('built')", first=(first,)).communicate(timeout=20)

    lines = out.splitlines()
    assert [json.loads(line) for line in lines[1:3]] == [
        {"message": "Cloning into bare repository", "phase": "fetching"},
        {"message": "remote: done", "phase": "fetching"},
    ]
    assert lines[0] == FIRST_LINE
    assert lines[3] == "built"


def test_without_its_repository_nothing_is_built(program, tmp_path):
    first = fetched(tmp_path / "fetched", log="fatal: no\n", error="It may not be read.")
    process = program("print('built')", first=(first,))
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "built" not in out
    assert out.splitlines()[-1] == "It may not be read."
    assert (tmp_path / "words").read_text() == "It may not be read."


def test_git_takes_the_copy_for_the_repository(program, tmp_path):
    """Branch, request and remote are those of the repository itself."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    first = fetched(tmp_path / "fetched")
    bare = tmp_path / "fetched" / "repository"

    def git(*words):
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q", "--bare", "-b", "main", str(bare))
    tree = git("-C", str(bare), "write-tree")
    commits = {
        name: git("-C", str(bare), *who, "commit-tree", tree, "-m", name)
        for name in ("main", "request")
    }
    git("-C", str(bare), "update-ref", "refs/heads/main", commits["main"])
    git("-C", str(bare), "update-ref", "refs/pull/7/head", commits["request"])
    url = "https://git.example.org/team/secret"
    clone = tmp_path / "clone"
    body = (
        "import subprocess\n"
        f"subprocess.run(['git', 'clone', '-q', {url!r}, {str(clone)!r}], check=True)"
    )
    process = program(body, first=(first, "--fetch=refs/pull/7/head"), last=url)
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0, out
    assert git("-C", str(clone), "rev-parse", "HEAD") == commits["main"]
    request = git("-C", str(clone), "rev-parse", "refs/remotes/origin/pull/7/head")
    assert request == commits["request"]
    assert git("-C", str(clone), "config", "remote.origin.url") == url
