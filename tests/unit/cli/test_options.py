from __future__ import annotations

import io
import subprocess
import sys

import pytest

from jupyterhub_imagebuilder.cli.options import UsageError, as_sent, exposed, read

ENVIRONMENT = {"JUPYTERHUB_API_TOKEN": "secret-token\n"}
HUB = ["--hub", "https://hub.example.org"]


def test_a_plain_call():
    options = read(["gh/org/repo/main", *HUB], ENVIRONMENT)
    assert options.url == "https://hub.example.org/services/imagebuilder/"
    assert options.repositories == ("gh/org/repo/main",)
    assert options.token == "secret-token"
    assert "secret-token" not in repr(options)
    assert not (options.json)
    assert not (options.quiet)
    assert not (options.cancel_on_interrupt)


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (
            ["--hub", "https://h.example.org/jhub/"],
            "https://h.example.org/jhub/services/imagebuilder/",
        ),
        (
            ["--hub", "https://h.example.org/hub/home"],
            "https://h.example.org/services/imagebuilder/",
        ),
        (["--hub", "https://h.example.org/hub"], "https://h.example.org/services/imagebuilder/"),
        (
            ["--hub", "https://h.example.org", "--service", "binder"],
            "https://h.example.org/services/binder/",
        ),
        (
            ["--hub", "https://h.example.org", "--service", "a/b"],
            "https://h.example.org/services/a%2Fb/",
        ),
        (["--url", "http://127.0.0.1:8586"], "http://127.0.0.1:8586/"),
        (["--url", "https://b.example.org/x/"], "https://b.example.org/x/"),
    ],
)
def test_where_the_service_is(words, url):
    assert read(["gh/o/r/x", *words], ENVIRONMENT).url == url


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("gh/org/repo/main", "build:gh/org/repo/main"),
        (" zenodo/10.5281/zenodo.3242074 ", "build:zenodo/10.5281/zenodo.3242074"),
        (
            "git/https%3A%2F%2Fgit.example.org%2Fa/main",
            "build:git/https%3A%2F%2Fgit.example.org%2Fa/main",
        ),
        ("build:gh/org/repo/main", "build:gh/org/repo/main"),
        ("https://github.com/org/repo@main", "https://github.com/org/repo@main"),
        ("10.5281/zenodo.3242074", "10.5281/zenodo.3242074"),
        ("doi:10.5281/zenodo.3242074", "doi:10.5281/zenodo.3242074"),
        ("swh:1:rev:abc", "swh:1:rev:abc"),
        ("github.com/org/repo", "github.com/org/repo"),
        ("git@github.com:org/repo.git", "git@github.com:org/repo.git"),
    ],
)
def test_what_is_sent(text, sent):
    assert as_sent(text) == sent


def test_a_list_in_a_file_and_words_are_one_list(tmp_path):
    path = tmp_path / "list"
    path.write_text("# ours\ngh/o/a/x\n\n  https://h.example.org/b#c  \ngh/o/a/x\n")
    options = read(["gh/o/z/x", *HUB, "--file", str(path)], ENVIRONMENT)
    assert options.repositories == ("gh/o/z/x", "gh/o/a/x", "https://h.example.org/b#c")


def test_a_list_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("gh/o/a/x\n"))
    assert read([*HUB, "--file", "-"], ENVIRONMENT).repositories == ("gh/o/a/x",)


def test_the_token_file_comes_first(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-file\n")
    options = read(["gh/o/r/x", *HUB, "--token-file", str(path)], ENVIRONMENT)
    assert options.token == "from-file"


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (HUB, ENVIRONMENT, "Name a repository"),
        (["gh/o/r/x", *HUB], {}, "Put a token into JUPYTERHUB_API_TOKEN"),
        (["gh/o/r/x", *HUB], {"JUPYTERHUB_API_TOKEN": "a b"}, "is no token"),
        (["gh/o/r/x", *HUB, "--token-file", "/nowhere"], ENVIRONMENT, "No such file"),
        (["gh/o/r/x", *HUB, "--file", "/nowhere"], ENVIRONMENT, "No such file"),
        (["gh/o/r/x", "--hub", "hub.example.org"], ENVIRONMENT, "begin with https://"),
        (["gh/o/r/x", "--hub", "https://u:secret-token@h.example.org"], ENVIRONMENT, "no login"),
        (
            ["gh/o/r/x", "--hub", "https://h.example.org/?token=secret-token"],
            ENVIRONMENT,
            "no login",
        ),
        (["gh/o/r/x", "--hub", "https://[::1"], ENVIRONMENT, "not valid"),
        (
            ["gh/o/r/x", "--url", "https://h.example.org", "--service", "b"],
            ENVIRONMENT,
            "belongs to",
        ),
    ],
)
def test_what_cannot_be_meant(words, environment, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        read(words, environment)
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ["gh/o/r/x"],
        ["gh/o/r/x", *HUB, "--url", "https://b.example.org"],
        ["gh/o/r/x", *HUB, "--token", "secret"],
        ["gh/o/r/x", *HUB, "--patience", "-1"],
        ["gh/o/r/x", *HUB, "--patience", "nan"],
    ],
)
def test_what_argparse_refuses(words, capsys):
    with pytest.raises(SystemExit) as caught:
        read(words, ENVIRONMENT)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://h.example.org/", False),
        ("http://h.example.org/", True),
        ("http://127.0.0.1:8000/", False),
        ("http://localhost/", False),
    ],
)
def test_a_token_in_plain_text_is_noticed(url, plain):
    assert exposed(url) is plain


def test_neither_service_nor_kubernetes_is_imported():
    code = (
        "import sys, jupyterhub_imagebuilder.cli.run, jupyterhub_imagebuilder.entry;"
        "print([m for m in ('tornado', 'traitlets', 'jupyterhub', 'kubernetes_asyncio',"
        "'sqlalchemy', 'kubespawner') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
