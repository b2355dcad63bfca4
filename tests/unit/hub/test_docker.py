from __future__ import annotations

import inspect

import pytest
from dockerspawner import DockerSpawner, SwarmSpawner
from tornado.web import HTTPError

from .docker_spawner import (
    ID,
    OTHER_ID,
    decide,
    refusal,
)
from .fakes import BUILT, COMMIT, DIGEST, PINNED
from .test_spawner import SAVED, TEXT

PROFILES = [
    {
        "display_name": "Only",
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {"listed": {"kubespawner_override": {"image": "listed/image:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "kubespawner_override": {"image": "{value}"},
                },
            }
        },
    }
]


# -- which image ---------------------------------------------------------------------------------


async def test_what_the_engine_built_is_named_by_its_id_alone(make, service):
    spawner = make({TEXT: "git://h/r@main"})
    assert await decide(spawner) == ID
    assert spawner.cmd == ["jupyterhub-singleuser"]
    assert spawner.user_options == {TEXT: "git://h/r@main", SAVED: COMMIT}
    assert spawner.user.db.commits == 1
    assert await decide(make({TEXT: "git://h/r@main", SAVED: COMMIT})) == ID
    assert [commit for _, _, commit in service.asked] == [None, COMMIT]


async def test_an_image_in_a_registry_keeps_its_name_and_the_admins_command_stays(make, service):
    service.answers = [BUILT]
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/", cmd=["start-it"])
    assert await decide(spawner) == PINNED
    assert spawner.cmd == ["start-it"]
    spawner.name_template = "{prefix}-{username}-{imagename}"
    assert spawner._object_name_default().endswith(f"hello-0a1b-{DIGEST.replace(':', '-')}")


async def test_the_admins_profiles_apply(make):
    assert await decide(make({}, profile_list=PROFILES)) == "listed/image:1"
    assert await decide(make({TEXT: "free/image:1"}, profile_list=PROFILES)) == "free/image:1"
    assert await decide(make({TEXT: "git://h/r"}, profile_list=PROFILES)) == ID
    form = await make(profile_list=lambda spawner: PROFILES).get_options_form()
    assert "Build from a repository" in form


async def test_without_a_choice_it_is_the_configured_image(make):
    spawner = make()
    form = await spawner.get_options_form()
    assert "Image of this profile" in form
    assert await decide(spawner) == "default/image:1"
    assert "no such choice" in await refusal(make({"image": "evil/image:1"}))
    assert "no repository" in await refusal(make({TEXT: "evil/image:1"}))


async def test_what_the_profile_chose_is_not_taken_for_an_images_name(make):
    spawner = make({"image": "listed"}, profile_list=PROFILES)
    await decide(spawner)
    assert await spawner.check_allowed("listed") == "listed/image:1"


OUR_NAMES = [
    "imagebuilder/hello:1",
    "docker.io/imagebuilder/hello",
    f"imagebuilder/hello@sha256:{'0' * 64}",
    "mine/hello:1",  # another tag of the same image
    ID,
    ID.removeprefix("sha256:")[:12],
    OTHER_ID,
]


@pytest.mark.parametrize("key", ["image", TEXT])
@pytest.mark.parametrize("name", OUR_NAMES)
@pytest.mark.parametrize("prefix", ["imagebuilder/", ""])
async def test_no_name_leads_to_an_image_of_ours(make, engine, key, name, prefix):
    engine.add_image(ID, "imagebuilder/hello:1", "mine/hello:1")
    sentence = await refusal(make({key: name}, allowed_images="*", prefix=prefix))
    assert "(image-unknown)" in sentence
    if key == TEXT:
        await refusal(make({key: name}, profile_list=PROFILES, prefix=prefix))


@pytest.mark.parametrize("key", ["image", TEXT])
@pytest.mark.parametrize(
    "name",
    [
        "x/../../containers/jupyter-bob",
        "../../info?",
        "mine/hello:1 ",
        "mine/hello:1\n",
        "mine//hello",
        "mine/hello@sha256:abc",
        "m\xefne/hello",
        "-x",
    ],
)
async def test_what_is_no_name_never_reaches_the_engine(make, engine, key, name):
    engine.broken["inspect_image"] = AssertionError("asked the engine")
    assert "(spec-invalid)" in await refusal(make({key: name}, allowed_images="*"))


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "x:1",
        "localhost/a_b/c__d-e:T.a-g",
        "Host.test:5000/a/b@" + ID,
        "h.test/a:1@" + ID,
        "a" * 64,
    ],
)
async def test_every_name_of_an_image_is_one(make, name):
    assert await decide(make({"image": name}, allowed_images="*")) == name


async def test_one_that_a_build_of_the_user_stands_behind_may_be_named(make, service):
    name = f"imagebuilder/hello@{ID}"
    service.known_images = {name}
    assert await decide(make({"image": name}, allowed_images="*")) == ID
    assert [image for image, _ in service.vouched] == [name]


# -- pulling -------------------------------------------------------------------------------------


async def test_the_engines_own_image_is_never_pulled(make, engine):
    spawner = make({TEXT: "git://h/r"}, pull_policy="always")
    await decide(spawner)
    await spawner.pull_image(spawner.image)
    assert engine.pulled == []


async def test_an_image_that_was_removed_behind_our_back_is_a_sentence(make, engine):
    spawner = make({TEXT: "git://h/r"})
    await decide(spawner)
    engine.images.clear()
    with pytest.raises(HTTPError, match="start the server again") as caught:
        await spawner.start()
    assert caught.value.status_code == 400
    assert engine.pulled == []
    assert engine.containers == {}


async def test_a_digest_is_pulled_where_the_engine_lacks_it(make, service, engine, server):
    service.answers = [BUILT]
    engine.port_of_server = server
    engine.in_registry = {PINNED}
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/")
    await decide(spawner)
    assert await spawner.start() == ("127.0.0.1", server)
    assert engine.pulled == [tuple(PINNED.split("@"))]
    assert engine.containers["jupyter-alice"]["Config"]["Image"] == PINNED


@pytest.mark.parametrize(
    ("policy", "pulls", "reason"),
    [("ifnotpresent", 1, "image-pull"), ("never", 0, "image-unknown")],
)
async def test_a_digest_that_cannot_be_pulled_is_a_sentence(
    make, service, engine, *, policy, pulls, reason
):
    service.answers = [BUILT]
    spawner = make({TEXT: "git://h/r"}, prefix="registry.test/team/", pull_policy=policy)
    await decide(spawner)
    with pytest.raises(HTTPError, match=reason):
        await spawner.start()
    assert len(engine.pulled) == pulls


# -- DockerSpawner


async def test_what_is_used_of_dockerspawner_is_there():
    """What is not in its documentation, and would be missed without a word."""
    for name in ("check_allowed", "create_object", "get_object", "get_ip_and_port", "poll"):
        assert inspect.iscoroutinefunction(getattr(DockerSpawner, name)), name
    for name in ("pull_image", "remove_object", "stop_object"):
        assert inspect.iscoroutinefunction(getattr(DockerSpawner, name)), name
    for name in ("_get_allowed_images", "docker", "template_namespace", "get_env"):
        assert callable(getattr(DockerSpawner, name)), name
    for name in ("object_id", "object_name", "remove", "cmd", "image", "pull_policy"):
        assert DockerSpawner.class_traits()[name], name
    assert (DockerSpawner.object_type, SwarmSpawner.object_type) == ("container", "service")
