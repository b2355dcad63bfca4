from __future__ import annotations

import asyncio
import json
import os

import pytest

from jupyterhub_imagebuilder.builds.model import Owner, OwnerKind
from jupyterhub_imagebuilder.errors import (
    AccessDenied,
    AuthenticationRequired,
    ServiceUnavailable,
    SpecInvalid,
)
from jupyterhub_imagebuilder.web.auth import Authenticator, Principal, TokenFile, owner_named
from tests.unit.web.support import ALICE, OWN, FakeHub


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"ci": "file-token"}))
    path.chmod(0o600)
    return path


@pytest.fixture
def auth(file):
    return Authenticator(own_token=OWN, own_name="ib", tokens=TokenFile(file), hub=FakeHub())


@pytest.mark.parametrize("scheme", ["Bearer ", "token ", "bearer  ", "TOKEN "])
@pytest.mark.parametrize(
    ("token", "owner", "speaks"),
    [
        (OWN, Owner("ib", OwnerKind.SERVICE, admin=True), True),
        ("file-token", Owner("ci", OwnerKind.TOKEN), False),
        (ALICE, Owner("alice", OwnerKind.USER, frozenset({"staff"})), False),
    ],
)
async def test_who_a_token_is(auth, scheme, token, owner, speaks):
    assert await auth.principal(scheme + token) == Principal(owner, speaks)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YWxpY2U6YQ==",
        OWN,
        "Bearer wrong",
        "Bearer own-tokem",
        "Bearer two words",
        "Bearer line\nbreak",
        "Bearer ünïcode",
        "Bearer " + "x" * 2000,
    ],
)
async def test_who_is_nobody(auth, header):
    with pytest.raises(AuthenticationRequired) as caught:
        await auth.principal(header)
    assert "own-token" not in caught.value.message


async def test_an_empty_own_token_opens_nothing():
    with pytest.raises(AuthenticationRequired):
        await Authenticator(own_token="").principal("Bearer x")


async def test_a_hub_that_is_down_is_no_refusal(file):
    hub = FakeHub()
    hub.error = ServiceUnavailable("JupyterHub does not answer.")
    auth = Authenticator(own_token=OWN, tokens=TokenFile(file), hub=hub)
    with pytest.raises(ServiceUnavailable):
        await auth.principal("Bearer " + ALICE)
    assert (await auth.principal("Bearer file-token")).owner.name == "ci"


async def test_a_token_without_the_scope_is_denied(file):
    hub = FakeHub()
    hub.error = AccessDenied("It needs a scope.")
    with pytest.raises(AccessDenied):
        await Authenticator(hub=hub).principal("Bearer " + ALICE)


class TestTokenFile:
    async def test_it_is_read_again_when_it_changes(self, file):
        tokens = TokenFile(file)
        assert await tokens.name_of("file-token") == "ci"
        file.write_text('{"ci": "new-token"}')
        os.utime(file, ns=(1, 1))
        assert await tokens.name_of("file-token") is None
        assert await tokens.name_of("new-token") == "ci"

    async def test_it_is_not_read_when_it_has_not_changed(self, file):
        tokens = TokenFile(file)
        tokens.refresh()
        seen = file.stat().st_mtime_ns
        file.write_text("{}")
        os.utime(file, ns=(seen, seen))
        assert await tokens.name_of("file-token") == "ci"

    @pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o666, 0o777])
    def test_one_that_others_can_read_is_refused(self, file, mode):
        file.chmod(mode)
        with pytest.raises(ServiceUnavailable, match="0600"):
            TokenFile(file).refresh()

    @pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
    async def test_a_mounted_secret_is_taken(self, file, mode):
        file.chmod(mode)
        assert await TokenFile(file).name_of("file-token") == "ci"

    @pytest.mark.parametrize(
        "content",
        ['{"ci": "sec-ret"', '["sec-ret"]', '{"ci": 7}', '{"ci": ""}', '{"ci": "sec ret"}', "\xff"],
    )
    async def test_a_broken_one_lets_nobody_in_and_quotes_no_secret(self, file, content):
        tokens = TokenFile(file)
        assert await tokens.name_of("file-token") == "ci"
        file.write_text(content, encoding="latin-1")
        os.utime(file, ns=(1, 1))
        for _ in range(2):
            with pytest.raises(ServiceUnavailable) as caught:
                await tokens.name_of("file-token")
            assert str(file) in caught.value.message
            assert "ret" not in caught.value.message

    def test_one_that_is_missing(self, tmp_path):
        with pytest.raises(ServiceUnavailable, match="No such file"):
            TokenFile(tmp_path / "absent").refresh()

    async def test_a_broken_one_does_not_lock_out_the_hubs_users(self, tmp_path):
        auth = Authenticator(own_token=OWN, tokens=TokenFile(tmp_path / "absent"), hub=FakeHub())
        assert (await auth.principal("Bearer " + ALICE)).owner.name == "alice"
        with pytest.raises(ServiceUnavailable):
            await auth.principal("Bearer unknown")

    async def test_one_that_is_opened_to_others_is_refused_from_then_on(self, file):
        tokens = TokenFile(file)
        assert await tokens.name_of("file-token") == "ci"
        file.chmod(0o644)
        with pytest.raises(ServiceUnavailable, match="0600"):
            await tokens.name_of("file-token")
        file.chmod(0o600)
        assert await tokens.name_of("file-token") == "ci"

    async def test_one_that_has_not_changed_costs_no_thread(self, file, monkeypatch):
        tokens = TokenFile(file)
        asked = []
        to_thread = asyncio.to_thread

        async def counted(work, *arguments):
            asked.append(work)
            return await to_thread(work, *arguments)

        monkeypatch.setattr(asyncio, "to_thread", counted)
        for _ in range(5):
            assert await tokens.name_of("file-token") == "ci"
        assert len(asked) == 1


class TestOwnerNamed:
    own = Principal(Owner("ib", OwnerKind.SERVICE, admin=True), speaks_for_users=True)
    user = Principal(Owner("alice"))

    def test_none_is_the_sender(self):
        assert owner_named(None, self.user) is self.user.owner

    def test_the_hub_may_name_one(self):
        document = {"name": "bob", "groups": ["staff"], "admin": True}
        assert owner_named(document, self.own) == Owner(
            "bob", OwnerKind.USER, frozenset({"staff"}), admin=True
        )
        assert owner_named({"name": "bob"}, self.own) == Owner("bob")

    def test_nobody_else_may(self):
        with pytest.raises(AccessDenied):
            owner_named({"name": "alice"}, self.user)

    @pytest.mark.parametrize(
        "document",
        [
            "bob",
            [],
            {},
            {"name": ""},
            {"name": 7},
            {"name": "bob", "groups": "staff"},
            {"name": "bob", "groups": [1]},
            {"name": "bob", "admin": "yes"},
            {"name": "bob", "kind": "service"},
        ],
    )
    def test_another_shape_is_refused(self, document):
        with pytest.raises(SpecInvalid):
            owner_named(document, self.own)
