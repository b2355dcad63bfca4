"""What a look-up and a deletion cost, and say, at each kind of registry."""

from __future__ import annotations

import dataclasses

import pytest
from aiohttp import web

from jupyterhub_imagebuilder.builds.model import ImageName
from jupyterhub_imagebuilder.errors import RegistryDenied, RegistryUnavailable
from jupyterhub_imagebuilder.registry.client import DistributionRegistry
from tests.fakes.registries.box import Box
from tests.fakes.registries.dialects import DENIED, DIALECTS

NAMES = [name for name in DIALECTS if name != "ecr"]
BEARER = [name for name in NAMES if DIALECTS[name].login == "bearer"]


@pytest.fixture
async def start(clock):
    running = []

    async def start(name, **traits):
        dialect = DIALECTS[name]
        box = Box(dialect)
        await box.start()

        async def read():
            return box.config_json()

        traits.setdefault("read_credentials", read)
        client = DistributionRegistry(
            host=dialect.host, api_host=box.address, insecure=True, clock=clock, **traits
        )
        running.extend((client.close, box.stop))
        return box, client

    yield start
    for end in running:
        await end()


def test_every_dialect_names_its_page():
    assert all(dialect.page.startswith("https://") for dialect in DIALECTS.values())


@pytest.mark.parametrize("name", NAMES)
async def test_look_up_of_a_known_repository_is_one_request(start, name):
    box, client = await start(name)
    image = box.push()
    await client.digest(image)
    del box.asked[:]
    assert await client.digest(image) == box.digest(image)
    assert box.lines == [f"HEAD /v2/{image.repository}/manifests/1"]


@pytest.mark.parametrize("name", BEARER)
async def test_login_of_a_new_repository_is_asked_for_before_it_is_demanded(start, name):
    box, client = await start(name)
    await client.digest(box.push())
    image = box.push(repository=DIALECTS[name].repository + "-2")
    del box.asked[:]
    assert await client.digest(image) == box.digest(image)
    assert [line.partition(" ")[0] for line in box.lines] in (["GET", "HEAD"], ["POST", "HEAD"])
    assert box.lines[1] == f"HEAD /v2/{image.repository}/manifests/1"


@pytest.mark.parametrize("name", BEARER)
async def test_absent_repository_costs_three_requests(start, name):
    box, client = await start(name)
    await client.digest(box.push())
    await client.check()
    for number in range(2):
        del box.asked[:]
        repository = f"{DIALECTS[name].repository}-absent-{number}"
        assert await client.digest(ImageName(DIALECTS[name].host, repository, "1")) is None
        # where a 401 has no word on why, another token is tried first
        most = 3 if DIALECTS[name].names_error else 5
        assert len(box.asked) <= most, box.lines


async def test_image_is_found_once_it_is_pushed_into_what_was_absent(start):
    for name in BEARER:
        box, client = await start(name)
        image = ImageName(DIALECTS[name].host, DIALECTS[name].repository, "1")
        assert await client.digest(image) is None
        box.push()
        assert await client.digest(image) == box.digest(image)


async def test_user_and_password_from_a_file_of_its_own(start, tmp_path):
    path = tmp_path / "password"
    path.write_text(f"{DIALECTS['harbor'].password}\n")
    box, client = await start("harbor", username="robot$team+builder", password_file=str(path))
    image = box.push()
    assert await client.digest(image) == box.digest(image)
    path.write_text(" \n")
    with pytest.raises(RegistryDenied, match="password are empty"):
        await client.digest(image)
    path.unlink()
    with pytest.raises(RegistryDenied, match="cannot be read"):
        await client.digest(image)


async def test_whole_image_goes_where_tags_are_not_deleted_alone(start):
    box, client = await start("distribution")
    image = box.push()
    await client.remove(image)
    deleted = [line for line in box.lines if line.startswith("DELETE")]
    assert [line.rpartition("/")[2][:7] for line in deleted] == ["1", "sha256:"]


async def test_every_page_is_looked_through_for_another_tag(start):
    for name in ("harbor", "acr-password"):
        box, client = await start(name)
        image = box.push("a")
        for number in range(6):
            box.push(f"b{number}")
        box.push("z", "a")  # the same image, on the last page
        with pytest.raises(RegistryDenied, match="other tag z"):
            await client.remove(image)
        assert sum("tags/list" in line for line in box.lines) == 4
        assert box.digest(image)


async def test_absolute_links_are_followed(start):
    box, client = await start("harbor")
    box.dialect = dataclasses.replace(box.dialect, absolute_links=True)
    image = box.push("a")
    for number in range(4):
        box.push(f"b{number}")
    await client.remove(image)
    assert box.digest(image) is None


@pytest.mark.parametrize(
    "link",
    ["<http://other.example.org/v2/x>", "<https://127.0.0.1/>", "<http://[>", "<ftp://x/>"],
)
async def test_link_to_somewhere_else_is_not_followed(start, link):
    box, client = await start("harbor")
    image = box.push("a")
    real = box._list

    def listed(*args):
        answer = real(*args)
        answer.headers["Link"] = f'{link}; rel="next"'
        return answer

    box._list = listed
    with pytest.raises(RegistryUnavailable, match="other than an image"):
        await client.remove(image)
    assert box.digest(image)


async def test_too_many_tags_to_look_through(start):
    box, client = await start("harbor")
    image = box.push("a")
    real = box._list

    def listed(request, repository, tags):
        answer = real(request, repository, tags)
        answer.headers["Link"] = f'<{request.path}?n=2&last=a>; rel="next"'
        return answer

    box._list = listed
    with pytest.raises(RegistryDenied, match="too many tags"):
        await client.remove(image)
    assert sum("tags/list" in line for line in box.lines) == 10
    assert box.digest(image)


async def test_deletion_asks_for_a_right_of_its_own(start):
    box, client = await start("artifact-registry")
    image = box.push()
    await client.digest(image)
    await client.remove(image)
    scopes = [scope.rpartition(":")[2] for scope in box._tokens.values()]
    assert scopes == ["pull", "*"]


async def test_hub_that_keeps_tagged_images(start):
    box, client = await start("docker-hub")
    assert box.dialect.delete_digest == DENIED
    image = box.push()
    with pytest.raises(RegistryDenied, match=r"docker\.io does not let the image builder delete"):
        await client.remove(image)


async def test_tag_list_that_is_none(start):
    box, client = await start("harbor")
    image = box.push("a")
    box._list = lambda *args: _json("[]")
    with pytest.raises(RegistryUnavailable, match="other than an image"):
        await client.remove(image)


def _json(text):

    return web.Response(text=text, content_type="application/json")
