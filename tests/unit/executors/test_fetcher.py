"""The program that fetches private repositories, run as pods and containers run it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jupyterhub_imagebuilder.errors import Reason
from jupyterhub_imagebuilder.executors import diagnosis, fetcher
from jupyterhub_imagebuilder.executors.private import Private, git_config
from jupyterhub_imagebuilder.providers.forge import CloneLogin

ADDRESS = "https://git.example.org/team/secret.git"
#: A git that says what it was started with, and what its configuration holds.
GIT = """\
#!{python} -I
import os, pathlib, sys
print(sys.argv[1:], file=sys.stderr)
for name in sorted(os.environ):
    if name.startswith("GIT_"):
        print(name, os.environ[name], file=sys.stderr)
print(pathlib.Path(os.environ["GIT_CONFIG_GLOBAL"]).read_text(), file=sys.stderr)
if "GIT_SSL_CAINFO" in os.environ:
    print(pathlib.Path(os.environ["GIT_SSL_CAINFO"]).read_text(), file=sys.stderr)
{body}
"""


@pytest.fixture
def run(tmp_path):
    """Run the program with a git of the test's own; the folders of login and copy are there."""
    login, target = tmp_path / "login", tmp_path / "fetched"
    login.mkdir()
    (login / fetcher.CONFIG).write_text("the-login")

    def start(body="", *command, ref="", **environment):
        tool = tmp_path / "git"
        tool.write_text(GIT.format(python=sys.executable, body=body))
        tool.chmod(0o755)
        words = Private(ADDRESS, ref, {}).command()[4:]
        words[0], words[3] = str(login), str(target)
        done = subprocess.run(
            [sys.executable, "-I", "-S", fetcher.__file__, *words, *command],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done, login, target

    return start


def said(target):
    return (target / fetcher.LOG).read_text()


def test_git_gets_the_login_in_a_file_and_nothing_else(run):
    done, login, target = run()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = said(target)
    assert f"GIT_CONFIG_GLOBAL {login / fetcher.CONFIG}" in log
    assert "GIT_ALLOW_PROTOCOL https\n" in log
    assert "'http.followRedirects=false'" in log
    assert f"'clone', '--bare', '--template=', '--', '{ADDRESS}'" in log
    assert not (target / fetcher.ERROR).exists()


def test_a_mounted_login_stays_where_it_is(run):
    _, login, _ = run()

    assert (login / fetcher.CONFIG).exists()


def test_a_container_that_goes_on_to_build_has_no_login_any_more(run, tmp_path):
    look = "import os, sys; print(os.path.exists(sys.argv[1]), sorted(os.environ))"
    done, login, _ = run("", sys.executable, "-I", "-c", look, str(tmp_path / "login"))

    assert not login.exists()
    assert done.returncode == 0
    assert done.stdout.startswith("False ")
    assert "GIT_" not in done.stdout


def test_a_login_that_cannot_be_removed_is_built_with_never(run, tmp_path):
    body = f"import os; os.rename({str(tmp_path / 'login')!r}, {str(tmp_path / 'real')!r})\n"
    body += f"os.symlink({str(tmp_path / 'real')!r}, {str(tmp_path / 'login')!r})"
    done, _, _ = run(body, sys.executable, "-I", "-c", "print('built')")

    assert done.returncode != 0
    assert "built" not in done.stdout


def test_a_ref_beyond_branches_is_fetched_besides(run):
    _, _, target = run(ref="refs/pull/7/head")

    assert f"'fetch', '--', '{ADDRESS}', '+refs/pull/7/head:refs/pull/7/head'" in said(target)


def test_further_certificates_stand_beside_those_of_the_system(run, tmp_path):
    system = tmp_path / "system.pem"
    system.write_text("of-the-system")
    (tmp_path / "login" / fetcher.CA).write_text("of-the-admin")

    _, _, target = run(GIT_SSL_CAINFO=str(system))

    assert "of-the-system\nof-the-admin\n" in said(target)


def test_time_runs_out(run):
    done, _, target = run("import time; time.sleep(60)", IMAGEBUILDER_DEADLINE="0.5")

    assert done.returncode == 0
    assert (target / fetcher.ERROR).read_text() == fetcher.TOO_LONG


@pytest.mark.parametrize(
    ("words", "sentence", "reason"),
    [
        ("error: The requested URL returned error: 403", fetcher.REFUSED, Reason.REF_NOT_FOUND),
        ("remote: no\nfatal: repository 'https://x/' not found", fetcher.REFUSED, None),
        ("fatal: could not read Username for 'https://x'", fetcher.REFUSED, None),
        ("fatal: Authentication failed for 'https://x/'", fetcher.REFUSED, None),
        ("fatal: couldn't find remote ref refs/pull/7/head", fetcher.REFUSED, None),
        ("fatal: unable to update url base from redirection", fetcher.MOVED, Reason.REF_NOT_FOUND),
        ("The requested URL returned error: 301", fetcher.MOVED, None),
        ("Could not resolve host: x", fetcher.NO_ANSWER, Reason.PROVIDER_UNAVAILABLE),
        ("SSL certificate problem: self-signed certificate", fetcher.NO_ANSWER, None),
        ("The requested URL returned error: 502", fetcher.NO_ANSWER, None),
        (
            "fatal: something new",
            "The private repository could not be fetched: fatal: something new",
            Reason.BUILD_FAILED,
        ),
    ],
)
def test_what_git_says_becomes_a_sentence_with_a_reason(run, words, sentence, reason):
    done, _, target = run(f"print({words!r}, file=sys.stderr); sys.exit(128)")

    assert done.returncode == 0
    assert (target / fetcher.ERROR).read_text() == sentence
    error = diagnosis.explain([*words.splitlines(), sentence])
    assert sentence in error.message
    assert error.reason is (reason or diagnosis.explain([sentence]).reason)


def test_a_host_that_repeats_the_login_does_not_publish_it(run, tmp_path):
    login = CloneLogin(ADDRESS, "oauth2", "glpat-0123456789", "")
    (tmp_path / "login" / fetcher.CONFIG).write_bytes(git_config(login))

    _, _, target = run(
        "print('remote: glpat-0123456789 has expired', file=sys.stderr); sys.exit(1)"
    )

    assert "remote: *** has expired" in said(target)
    assert "Authorization: Basic ***" in said(target)
    assert "glpat" not in (target / fetcher.ERROR).read_text()


def test_what_a_step_prints_is_no_word_of_the_fetcher():
    step = ["#6 [2/2] RUN x", "#6 0.1 no", fetcher.REFUSED]

    assert diagnosis.explain(step).reason is Reason.BUILD_FAILED
