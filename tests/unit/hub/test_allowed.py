from __future__ import annotations

import pytest
from dockerspawner import DockerSpawner
from tornado.web import HTTPError

from .docker_spawner import (
    ID,
    decide,
    refusal,
)
from .test_spawner import TEXT


@pytest.mark.parametrize(
    "allowed",
    [
        {"allowed_images": {"One": "one/image:1", "<b>": "two/image:1"}},
        {"image_whitelist": {"One": "one/image:1", "<b>": "two/image:1"}},
        {"allowed_images": lambda spawner: {"One": "one/image:1", "<b>": "two/image:1"}},
    ],
)
async def test_allowed_images_are_choices(make, allowed):
    form = await make(**allowed).get_options_form()
    assert ">One</option>" in form
    assert "&lt;b&gt;</option>" in form
    assert "Build from a repository" in form
    assert await decide(make({"image": "One"}, **allowed)) == "one/image:1"
    assert await decide(make({TEXT: "git://h/r"}, **allowed)) == ID
    # as DockerSpawner has it: nothing chosen, nothing checked
    assert await decide(make({}, **allowed)) == "default/image:1"
    for options in ({"image": "one/image:1"}, {"image": 5}, {TEXT: "one/image:1"}, {TEXT: ["a"]}):
        await refusal(make(options, **allowed))


async def test_the_configured_image_is_preselected(make):
    spawner = make(allowed_images=["one/image:1", "default/image:1"])
    form = await spawner.get_options_form()
    assert '<option value="default/image:1" selected>' in form
    assert '<option value="one/image:1" selected>' not in form


async def test_any_image_may_be_named_as_an_option_or_as_a_text(make, engine):
    for key in ("image", TEXT):
        for name in ("any/image:1", "default/image:1"):
            assert await decide(make({key: name}, allowed_images="*")) == name
    assert await decide(make({}, allowed_images="*")) == "default/image:1"
    assert await decide(make({"image": "default"}, allowed_images="*")) == "default/image:1"
    spawner = make({"image": "<script>"}, allowed_images="*")
    assert '"<script>"' not in await spawner.get_options_form()


async def test_a_repository_is_never_taken_for_an_images_name(make, service):
    """Else the configured image would start, without a word about the repository."""
    for text in ("git://h/r", "build:h/r"):
        assert "no such choice" in await refusal(make({"image": text}, allowed_images="*"))
    assert service.asked == []


async def test_an_admins_own_check_is_asked(make):
    class Careful(DockerSpawner):
        async def check_allowed(self, image):
            if image.startswith("bad/"):
                raise HTTPError(400, "That one is 100% bad.")
            return f"{image}-checked"

    good = make({"image": "good/x"}, base=Careful, allowed_images="*")
    assert await decide(good) == "good/x-checked"
    for key in ("image", TEXT):
        sentence = await refusal(make({key: "bad/x"}, base=Careful, allowed_images="*"))
        # ours, which no JupyterHub counts as its own fault
        assert "That one is 100% bad. (spec-invalid)" in sentence


async def test_an_admins_own_form_may_name_an_image(make):
    own = {"allowed_images": ["one/image:1"], "options_form": "<input name=image>"}
    options = make(**own).options_from_form({"image": ["one/image:1"]})
    assert options == {"image": "one/image:1"}
    assert await decide(make(options, **own)) == "one/image:1"


async def test_the_form_is_read_where_dockerspawner_has_a_method_for_it(make):
    """As its version 13 does; an admin's own method stays."""

    def options_from_form(self, formdata):
        return {"read by": "a method"}

    fields = {"profile": ["server"], "profile-option-server--image": ["x/y:1"]}
    for module, options in (
        ("dockerspawner.dockerspawner", {"profile": "server", "image": "x/y:1"}),
        ("jupyterhub_config", {"read by": "a method"}),
    ):
        options_from_form.__module__ = module
        older = type("Older", (DockerSpawner,), {"options_from_form": options_from_form})
        assert make(base=older).options_from_form(fields) == options
