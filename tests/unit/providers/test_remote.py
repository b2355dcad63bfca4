from __future__ import annotations

import threading

import pytest

from jupyterhub_imagebuilder.errors import ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers import remote as module
from jupyterhub_imagebuilder.providers.remote import GitRemote, explain

URL = "https://git.example.org/x"
HOST = "git.example.org"
PREFIX = f"fatal: unable to access '{URL}/': "


@pytest.mark.parametrize(
    "messages",
    [
        "fatal: remote error: access denied or repository not exported: /absent",
        f"fatal: repository '{URL}/' not found",
        "remote: Repository not found.\nfatal: repository 'x' not found",
        f"fatal: could not read Username for '{URL}': terminal prompts disabled",
        f"fatal: Authentication failed for '{URL}/'",
        PREFIX + "The requested URL returned error: 403",
        PREFIX + "The requested URL returned error: 404",
        f"fatal: {URL}/info/refs not valid: is this a git repository?",
        "fatal: unable to update url base from redirection:\n  asked for: x\n   redirect: y",
    ],
)
def test_absent_and_private_repositories_look_alike(messages):
    error = explain(messages, URL, HOST)
    assert isinstance(error, RefNotFound)
    assert error.message == f"The repository {URL} does not exist or is private."


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (PREFIX + "Could not resolve host: git.example.org", "does not answer."),
        (PREFIX + "Failed to connect to git.example.org port 443: Connection refused", "answer."),
        ("fatal: unable to connect to h:\nh[0: 10.0.0.1]: errno=Connection timed out", "answer."),
        (PREFIX + "Operation too slow. Less than 1 bytes/sec", "does not answer."),
        (PREFIX + "The requested URL returned error: 503", "error 503"),
        (PREFIX + "The requested URL returned error: 429", "try later"),
        (PREFIX + "server certificate verification failed. CAfile: x", "certificate"),
        (PREFIX + "SSL certificate problem: self-signed certificate", "certificate"),
        ("fatal: protocol error: bad line length character: HTTP", "Git server"),
        ("fatal: Could not read from remote repository.\n\nPlease make sure", "Git server"),
        ("fatal: something new", "cannot be read"),
    ],
)
def test_a_host_that_does_not_answer(messages, words):
    error = explain(messages, URL, HOST)
    assert isinstance(error, ProviderUnavailable)
    assert words in error.message
    assert "fatal" not in error.message


async def test_long_lists_hold_nobody_up(monkeypatch):
    """A million refs, which any host can make up, take seconds to read."""
    threads = []

    async def print_one(self, *arguments):
        return f"{'a' * 40}\trefs/heads/main\n"

    def recorded(read):
        def reading(text):
            threads.append(threading.current_thread())
            return read(text)

        return reading

    monkeypatch.setattr(GitRemote, "_ls_remote", print_one)
    for name in ("read_listing", "read_ls_remote"):
        monkeypatch.setattr(module, name, recorded(getattr(module, name)))
    remote = GitRemote(URL, HOST, ("https",), 1.0)
    assert (await remote.listing()).refs[0].name == "main"
    assert await remote.refs("main") == {"refs/heads/main": "a" * 40}
    assert len(threads) == 2
    assert threading.current_thread() not in threads
