"""Logins of private repositories: whose they are, and where they go."""

from __future__ import annotations

import base64
import dataclasses
import subprocess

import pytest

from jupyterhub_imagebuilder.errors import BuildFailed, ProviderUnavailable, Reason
from jupyterhub_imagebuilder.executors import fetcher
from jupyterhub_imagebuilder.executors.entrypoint import instead
from jupyterhub_imagebuilder.executors.private import git_config, private_of
from jupyterhub_imagebuilder.providers.forge import CloneLogin

from .requests import make_request

URL = "https://git.example.org/team/secret"
LOGIN = CloneLogin(f"{URL}.git", "oauth2", "the-token", "")


def spec(ref="main"):
    return dataclasses.replace(make_request(URL).spec, ref=ref)


def test_a_repository_without_a_login_is_fetched_as_ever():
    assert private_of(spec(), lambda _: None) is None


def test_the_login_is_in_files_alone():
    private = private_of(spec(), lambda _: LOGIN)

    assert private.address == f"{URL}.git"
    coded = base64.b64encode(b"oauth2:the-token")
    assert coded in private.files[fetcher.CONFIG]
    assert fetcher.CA not in private.files
    shown = f"{private!r} {LOGIN!r} {private.command()}"
    assert "the-token" not in shown
    assert coded.decode() not in shown


@pytest.mark.parametrize(("ref", "fetched"), [("refs/pull/7/head", True), ("feature/x", False)])
def test_only_a_ref_beyond_branches_is_named(ref, fetched):
    private = private_of(spec(ref), lambda _: LOGIN)

    assert private.command()[-2] == (ref if fetched else "")


def test_certificates_of_the_admin_go_along(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"a certificate")
    login = dataclasses.replace(LOGIN, ca_file=str(tmp_path / "ca.pem"))

    assert private_of(spec(), lambda _: login).files[fetcher.CA] == b"a certificate"


def test_what_cannot_be_read_is_told(tmp_path):
    login = dataclasses.replace(LOGIN, ca_file=str(tmp_path / "none"))

    def unreadable(_):
        raise ProviderUnavailable("The token cannot be read.")

    for login_of in (unreadable, lambda _: login):
        with pytest.raises(BuildFailed) as caught:
            private_of(spec(), login_of)
        assert caught.value.reason is Reason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize(
    "address", ["http://git.example.org/a", 'https://x/"]\n[core]', "https://x/\\", "file:///a"]
)
def test_an_address_that_a_login_never_goes_to(address):
    with pytest.raises(BuildFailed):
        git_config(dataclasses.replace(LOGIN, address=address))


def configured(path, *question):
    done = subprocess.run(
        ["git", "config", "--file", str(path), *question],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("asked", "logged_in"),
    [
        (f"{URL}.git/info/refs", True),
        (f"{URL}.git", True),
        (f"{URL}.github", False),
        (f"{URL}s", False),
        ("https://git.example.org/team/other.git", False),
        ("http://git.example.org/team/secret.git", False),
        ("https://git.example.org:8443/team/secret.git", False),
        ("https://x.git.example.org/team/secret.git", False),
    ],
)
def test_git_itself_logs_in_to_that_repository_alone(tmp_path, asked, logged_in):
    (tmp_path / "config").write_bytes(git_config(LOGIN))

    found = configured(tmp_path / "config", "--get-urlmatch", "http.extraHeader", asked)

    assert bool(found) is logged_in


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (URL, "COPY/repository"),
        (f"{URL}.git", f"{URL}.git"),
        (f"{URL}-data", f"{URL}-data"),
        (f"{URL}/sub", f"{URL}/sub"),
        ("https://git.example.org/team/other", "https://git.example.org/team/other"),
    ],
)
def test_a_copy_stands_for_its_repository_and_no_other(tmp_path, asked, expected):
    (tmp_path / "config").write_text(instead(tmp_path, URL))

    done = subprocess.run(
        ["git", "ls-remote", "--get-url", asked],
        env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": str(tmp_path / "config")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == expected.replace("COPY", str(tmp_path))
