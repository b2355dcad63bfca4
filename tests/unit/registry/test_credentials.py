from __future__ import annotations

import base64
import json
import os

import pytest

from jupyterhub_imagebuilder.errors import ExecutorUnavailable, RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.credentials import Credentials, NoCredentials
from jupyterhub_imagebuilder.registry.docker_config import find_credentials
from jupyterhub_imagebuilder.registry.helpers import Helper
from jupyterhub_imagebuilder.registry.sources import (
    FileCredentials,
    SecretCredentials,
)

HOST = "registry.example.org:5000"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def config(auths, **more):
    return json.dumps({"auths": auths, **more}).encode()


def find(auths, host=HOST, **more):
    return find_credentials(config(auths, **more), host, "/etc/config.json")


@pytest.mark.parametrize(
    "key",
    [
        HOST,
        f"https://{HOST}",
        f"http://{HOST}/",
        f"https://{HOST}/v1/",
        f"{HOST}/v2/",
        HOST.upper(),
    ],
)
def test_spellings_of_a_key(key):
    assert find({key: {"auth": encoded("me:secret")}}) == Credentials("me", "secret")


@pytest.mark.parametrize(
    "key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_names_of_docker_hub(key):
    assert find({key: {"auth": encoded("me:x")}}, host="docker.io") == Credentials("me", "x")


def test_other_hosts_and_ports_do_not_count():
    auths = {"registry.example.org": {"auth": encoded("a:b")}, "other:5000": {"auth": "eDp5"}}
    assert find(auths) is None


def test_exact_name_comes_first():
    auths = {f"https://{HOST}": {"auth": encoded("a:b")}, HOST: {"auth": encoded("c:d")}}
    assert find(auths) == Credentials("c", "d")


def test_empty_entry_is_passed_over():
    assert find(
        {HOST: None, HOST + "/": {}, f"https://{HOST}": {"auth": encoded("a:b")}}
    ) == Credentials("a", "b")


def test_password_with_colons_and_padding():
    assert find({HOST: {"auth": encoded("_json_key:{a:1}\0\0")}}) == Credentials(
        "_json_key", "{a:1}"
    )


def test_username_and_password():
    entry = {"username": "me", "password": "secret"}
    assert find({HOST: entry}) == Credentials("me", "secret")
    assert find({HOST: {**entry, "auth": encoded("you:x")}}) == Credentials("you", "x")


def test_tokens():
    entry = {"auth": encoded("me:"), "identitytoken": "idt"}
    assert find({HOST: entry}) == Credentials(identity_token="idt")
    assert find({HOST: {"registrytoken": "rt"}}) == Credentials(registry_token="rt")


def test_nothing_for_the_host():
    assert find({}) is None
    assert find_credentials(b"{}", HOST, "x") is None


def test_secrets_do_not_show():
    shown = repr(Credentials("me", "secret-1", "secret-2", "secret-3"))
    assert "me" in shown
    assert "secret" not in shown


def test_helper_of_the_host_comes_first_and_one_for_all_last():
    own = {"credHelpers": {f"https://{HOST}": "gcloud"}}
    assert find({HOST: {"auth": encoded("a:b")}}, **own) == Helper("gcloud", HOST)
    assert find({HOST: {}}, credsStore="desktop") == Helper("desktop", HOST)
    assert find({HOST: {"auth": encoded("a:b")}}, credsStore="desktop") == Credentials("a", "b")


def test_helper_is_asked_for_docker_hub_by_its_old_address():
    found = find({}, host="docker.io", credHelpers={"https://index.docker.io/v1/": "pass"})
    assert found == Helper("pass", "https://index.docker.io/v1/")
    assert found.program == "docker-credential-pass"


def test_helper_for_another_host_does_not_matter():
    assert find({}, credHelpers={"gcr.io": "gcloud"}) is None


@pytest.mark.parametrize(
    "data",
    [
        b"secret",
        b"\xff",
        b"[]",
        b'{"auths": ["secret"]}',
        config({HOST: {"auth": "secret!"}}),
        config({HOST: {"auth": "/////w=="}}),
    ],
)
def test_bad_content_is_an_error_without_the_content(data):
    with pytest.raises(RegistryDenied) as caught:
        find_credentials(data, HOST, "/etc/config.json")
    assert "/etc/config.json" in caught.value.message
    assert HOST in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is None


async def test_file_is_read_again_when_it_changed(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(config({HOST: {"auth": encoded("me:old")}}))
    source = FileCredentials(str(path), HOST)
    assert await source.get() == Credentials("me", "old")
    # As Kubernetes renews a mounted Secret: another file under the same name.
    new = tmp_path / "new"
    new.write_bytes(config({HOST: {"auth": encoded("me:new")}}))
    new.replace(path)
    assert await source.get() == Credentials("me", "new")
    path.write_bytes(config({}))
    assert await source.renew() is None


async def test_file_is_not_read_again_without_a_change(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(config({HOST: {"auth": encoded("me:old")}}))
    source = FileCredentials(str(path), HOST)
    await source.get()
    before = path.stat()
    with path.open("r+b") as file:  # the same inode, size and time: nobody could tell
        file.write(config({HOST: {"auth": encoded("me:new")}}))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert await source.get() == Credentials("me", "old")


async def test_missing_file_is_named(tmp_path):
    with pytest.raises(RegistryDenied, match=r"absent\.json") as caught:
        await FileCredentials(str(tmp_path / "absent.json"), HOST).get()
    assert isinstance(caught.value.__cause__, FileNotFoundError)


class Secret:
    def __init__(self, data):
        self.data = data
        self.error = None
        self.reads = 0

    async def __call__(self):
        self.reads += 1
        if self.error:
            raise self.error
        return self.data


async def test_secret_is_asked_once_and_renewed_once_a_minute(clock):
    secret = Secret(config({HOST: {"auth": encoded("me:old")}}))
    source = SecretCredentials(secret, HOST, clock=clock)
    assert await source.get() == await source.get() == Credentials("me", "old")
    secret.data = config({HOST: {"auth": encoded("me:new")}})
    clock.time += 59
    assert await source.renew() == Credentials("me", "old")
    clock.time += 1
    assert await source.get() == Credentials("me", "old")
    assert await source.renew() == Credentials("me", "new")
    assert secret.reads == 2


async def test_absent_secret_is_asked_again_after_a_minute_only(clock):
    secret = Secret(None)
    source = SecretCredentials(secret, HOST, clock=clock)
    assert await source.get() is None
    assert await source.renew() is None
    assert secret.reads == 1
    clock.time += 60
    secret.data = config({HOST: {"auth": encoded("a:b")}})
    assert await source.renew() == Credentials("a", "b")


async def test_unreadable_secret(clock):
    secret = Secret(config({HOST: {"auth": encoded("a:b")}}))
    secret.error = ExecutorUnavailable("Kubernetes does not answer.")
    source = SecretCredentials(secret, HOST, clock=clock)
    with pytest.raises(RegistryUnavailable, match="could not be read") as caught:
        await source.get()
    assert caught.value.__cause__ is secret.error
    secret.error = None
    assert await source.get() == Credentials("a", "b")


async def test_wrong_secret_is_an_error_each_time_but_read_once(clock):
    secret = Secret(b"nonsense")
    source = SecretCredentials(secret, HOST, clock=clock)
    for _ in range(2):
        with pytest.raises(RegistryDenied, match="not JSON"):
            await source.get()
    assert secret.reads == 1


async def test_no_credentials():
    assert await NoCredentials().get() is None
    assert await NoCredentials().renew() is None
