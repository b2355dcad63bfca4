from __future__ import annotations

import asyncio
import copy
import json
import re
from types import SimpleNamespace

import pytest
from kubespawner import KubeSpawner
from tornado.web import HTTPError
from traitlets.config import Config

from jupyterhub_imagebuilder.builds.phases import Phase
from jupyterhub_imagebuilder.errors import RefNotFound, ServiceUnavailable
from jupyterhub_imagebuilder.hub.shared import HubSide
from jupyterhub_imagebuilder.hub.spawner import ImageBuilderSpawner

from .fakes import BUILT, BUILT_EVENT, COMMIT, OPEN, PINNED, FakeService, lines
from .test_profile import ADMINS

TEXT = "image--unlisted-choice"
SAVED = "image--unlisted-choice--commit"


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """KubeSpawner reads a kubeconfig when it is made; these tests ask no cluster."""
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **options: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda name: None)


class Session:
    commits = 0

    def commit(self):
        self.commits += 1


@pytest.fixture
def service():
    return FakeService()


@pytest.fixture
def make(service):
    """Make a spawner as JupyterHub has it between the form and the start."""

    def make_spawner(options=None, profiles=ADMINS, **config):
        side = HubSide(lambda base_url: None, lambda: "imagebuilder")
        side.client = service
        cls = type("Spawner", (ImageBuilderSpawner, KubeSpawner), {"hub_side": side})
        c = Config({"ImageBuilder": {"image_prefix": "registry.test/team/"}})
        if profiles is not None:
            c.KubeSpawner.profile_list = profiles
        for name, value in config.items():
            c.KubeSpawner[name] = value
        spawner = cls(config=c, _mock=True)
        spawner.user.name = "alice"
        spawner.user.admin = False
        spawner.user.groups = [SimpleNamespace(name="team")]
        spawner.user.settings = {"services": {"imagebuilder": object()}}
        spawner.orm_spawner = SimpleNamespace(name="", user_options=options, server=None)
        spawner.user.db = Session()
        spawner.user_options = options or {}
        spawner._spawn_pending = True
        return spawner

    return make_spawner


async def spawn(spawner):
    """JupyterHub's part of a start, up to where the pod would be made."""
    spawner.clear_state()
    await spawner.run_pre_spawn_hook()
    await spawner.load_user_options()
    return spawner.image


async def test_a_repository_becomes_a_digest_and_ref_and_commit_are_saved(make, service):
    options = {"profile": "only-choice", TEXT: "git://h/r@main"}
    spawner = make(options)
    assert await spawn(spawner) == PINNED
    (text, owner, commit) = service.asked[0]
    assert (text, commit, len(service.asked)) == ("git://h/r@main", None, 1)
    assert (owner.name, owner.groups) == ("alice", {"team"})
    saved = {**options, SAVED: COMMIT}
    assert spawner.user_options == spawner.orm_spawner.user_options == saved
    assert spawner.user.db.commits == 1


async def test_a_restart_with_saved_options_stays_at_its_commit(make, service):
    spawner = make({"profile": "only-choice", TEXT: "git://h/r@main", SAVED: COMMIT})
    assert await spawn(spawner) == PINNED
    assert service.asked[0][2] == COMMIT
    assert spawner.user.db.commits == 0


async def test_a_request_without_a_profile_goes_through_the_same_gate(make, service):
    assert await spawn(make({TEXT: "git://h/r"})) == PINNED
    assert await spawn(make({"profile": "", TEXT: "git://h/r"})) == PINNED


async def test_the_admins_three_kinds_of_image(make, service):
    assert await spawn(make({})) == "pangeo/pangeo-notebook:2023.09.11"
    assert await spawn(make({"image": "scipy"})) == "jupyter/scipy-notebook:2023-06-26"
    assert await spawn(make({TEXT: "quay.io/a/b:c"})) == "quay.io/a/b:c"
    assert service.asked == service.vouched == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({TEXT: "registry.test/team/x:tag"}, "image-unknown"),
        ({TEXT: "no-tag"}, "spec-invalid"),
        ({TEXT: 7}, "spec-invalid"),
        ({"profile": "only-choice", TEXT: ["git://h/r"]}, "spec-invalid"),
        ({"profile": "gone"}, "spec-invalid"),
    ],
)
async def test_refusals_are_sentences_with_a_reason(make, options, reason):
    with pytest.raises(HTTPError) as caught:
        await spawn(make(options))
    assert caught.value.status_code == 400
    assert caught.value.jupyterhub_message.endswith(f"({reason})")


async def test_an_image_of_ours_by_digest_is_vouched_for(make, service):
    assert await spawn(make({TEXT: PINNED})) == PINNED
    assert service.vouched[0][0] == PINNED


async def test_the_gate_holds_where_the_hook_did_not_run(make, service):
    spawner = make({TEXT: "git://h/r"})
    await spawner.load_user_options()
    assert spawner.image == PINNED
    service.answers = [OPEN]
    spawner = make({TEXT: "git://h/r"})
    with pytest.raises(HTTPError, match="still-building"):
        await spawner.load_user_options()
    for options in ({TEXT: "no-tag"}, {TEXT: "registry.test/team/x:1"}):
        with pytest.raises(HTTPError):
            await make(options).load_user_options()


async def test_another_text_than_the_one_waited_for_is_asked_for_anew(make, service):
    spawner = make({TEXT: "git://h/r"})
    await spawner.run_pre_spawn_hook()
    spawner.user_options = {TEXT: "git://h/other"}
    await spawner.load_user_options()
    assert [text for text, _, _ in service.asked] == ["git://h/r", "git://h/other"]


async def test_a_hub_that_is_missing_its_service_says_so(make, service):
    service.answers = [ServiceUnavailable("The image builder does not answer.")]
    spawner = make({TEXT: "git://h/r"})
    spawner.max_waiting_fraction = 0
    spawner.user.settings["concurrent_spawn_limit"] = 4
    with pytest.raises(HTTPError, match="still-building"):
        await spawn(spawner)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [{"name": "push"}]),
        (["a"], ["a", {"name": "push"}]),
        ([{"name": "push"}], [{"name": "push"}]),
        (["push"], ["push"]),
    ],
)
async def test_the_pull_secret_is_added_once_and_for_images_of_ours_only(make, before, after):
    spawner = make({TEXT: "git://h/r"}, image_pull_secrets=before)
    spawner.config.KubernetesExecutor.push_secret = "push"
    await spawn(spawner)
    assert spawner.image_pull_secrets == after
    ordinary = make({"image": "scipy"}, image_pull_secrets=before)
    ordinary.pull_secret = "push"
    await spawn(ordinary)
    assert ordinary.image_pull_secrets == before


async def test_the_pod_says_why_an_image_cannot_run(make):
    spawner = make({TEXT: "git://h/r"}, extra_container_config={"tty": True})
    spawner.pull_secret = "push"
    await spawn(spawner)
    pod = await spawner.get_pod_manifest()
    (container,) = pod.spec.containers
    assert container.image == PINNED
    assert container.termination_message_policy == "FallbackToLogsOnError"
    assert [each.name for each in pod.spec.image_pull_secrets] == ["push"]


async def test_the_admins_own_hook_runs_after_the_build(make, service):
    seen = []

    async def hook(spawner):
        seen.append(dict(spawner.user_options))

    await spawn(make({TEXT: "git://h/r"}, pre_spawn_hook=hook))
    assert seen == [{TEXT: "git://h/r", SAVED: COMMIT}]


async def profile_function(spawner):
    return copy.deepcopy(ADMINS)


SHAPES = [None, [], ADMINS, {"b": ADMINS[0]}, lambda spawner: ADMINS, profile_function]


@pytest.mark.parametrize("profiles", SHAPES)
async def test_every_shape_of_a_profile_list_offers_builds(make, profiles):
    spawner = make({TEXT: "git://h/r"}, profiles=profiles)
    form = await spawner.get_options_form()
    assert "Build from a repository" in form
    assert await spawn(spawner) == PINNED


async def test_profiles_that_take_part_can_be_named(make):
    profiles = [{"display_name": "A"}, {"display_name": "B"}]
    spawner = make(profiles=profiles)
    assert (await spawner.get_options_form()).count("Build from a repository") == 2
    spawner.profiles = ["b"]
    assert (await spawner.get_options_form()).count("Build from a repository") == 1
    spawner.user_options = {"profile": "a", TEXT: "git://h/r"}
    with pytest.raises(HTTPError, match="spec-invalid"):
        await spawn(spawner)


async def test_a_left_over_profile_does_no_harm_where_there_are_none(make):
    spawner = make({"profile": "left-over<b>"}, profiles=None, image="default/image:1")
    assert "left-over<b>" not in (await spawner.get_options_form()).partition("<script>")[0]
    spawner = make({"profile": "left-over"}, profiles=None, image="default/image:1")
    assert await spawn(spawner) == "default/image:1"


def saved_options(form):
    """What KubeSpawner's script fills the form in with."""
    return json.loads(re.search(r"const userOptions = (.*);", form)[1])


PROFILES = [
    {"display_name": "First"},
    {"display_name": "Second", "default": True},
    {"display_name": "Third"},
]


@pytest.mark.parametrize(
    ("profiles", "offering", "slug"),
    [
        (ADMINS, [], "only-choice"),
        (None, [], "server"),
        (PROFILES, [], "second"),
        (PROFILES, ["third", "first"], "first"),
        (PROFILES, ["no-such-profile"], None),
    ],
)
async def test_the_field_begins_with_a_repository(make, profiles, offering, slug):
    spawner = make(profiles=profiles, prefill="git://h/example")
    spawner.profiles = offering
    form = await spawner.get_options_form()
    assert saved_options(form) == ({"profile": slug, TEXT: "git://h/example"} if slug else {})
    assert spawner.user_options == {}


async def test_who_has_chosen_before_finds_that_in_the_field(make):
    options = {"profile": "second", TEXT: "git://h/own"}
    form = await make(options, prefill="git://h/example").get_options_form()
    assert saved_options(form) == options


async def test_a_template_can_dump_the_profiles(make):
    spawner = make(profile_form_template="<script>x = {{ profile_list|tojson }}</script>")
    assert "Build from a repository" in await spawner.get_options_form()


async def test_saved_options_that_are_broken_do_not_take_the_form_away(make):
    spawner = make({"profile": "only-choice", TEXT: 5})
    assert "Build from a repository" in await spawner.get_options_form()
    assert spawner.user_options == {"profile": "only-choice", TEXT: 5}


async def test_a_template_that_chokes_on_our_choice_gets_the_admins_list(make):
    template = (
        "{% for p in profile_list %}{% if 'Build' in p.profile_options.image.unlisted_choice"
        ".display_name_in_choices %}{{ 1 / 0 }}{% endif %}{{ p.slug }}{% endfor %}"
    )
    assert await make(profile_form_template=template).get_options_form() == "only-choice"


async def test_a_fault_of_ours_leaves_the_admins_list(make, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("jupyterhub_imagebuilder.hub.form.with_build_choice", broken)
    spawner = make({"image": "scipy"})
    assert "Specify an existing docker image" in await spawner.get_options_form()
    assert await spawn(spawner) == "jupyter/scipy-notebook:2023-06-26"


async def test_the_form_says_what_is_wrong(make):
    spawner = make()
    spawner.user.settings["services"] = {}
    form = await spawner.get_options_form()
    assert "Building images is unavailable: c.JupyterHub.services was assigned" in form
    spawner = make()
    spawner.hub_side.troubles = ["c.ImageBuilder.x is <code>"]
    assert "unavailable: c.ImageBuilder.x is &lt;code&gt;" in await spawner.get_options_form()
    assert "unavailable" not in await make().get_options_form()


async def test_a_link_cannot_start_a_build(make):
    spawner = make()
    key = "profile-option-only-choice--image"
    with pytest.raises(HTTPError, match="A link cannot start a build") as caught:
        await spawner.options_from_query(
            {"profile": ["only-choice"], key + "--unlisted-choice": ["https://evil.test/x"]}
        )
    assert caught.value.status_code == 400
    options = await spawner.options_from_query({"profile": ["only-choice"], key: ["scipy"]})
    assert options == {"profile": "only-choice", "image": "scipy"}


async def test_progress_shows_the_log_and_then_the_pod(make, service):
    service.answers = [OPEN]
    service.scripts = [[*lines("Step 1"), "hold", *lines("Step 2", source="b"), BUILT_EVENT]]

    class Pod(KubeSpawner):
        async def progress(self):
            yield {"message": "Pulling"}

    spawner = make({TEXT: "git://h/r"})
    spawner.__class__ = type("S", (ImageBuilderSpawner, Pod), {"hub_side": spawner.hub_side})
    spawner.progress_interval = 0.05
    spawner.clear_state()

    async def read():
        return [event["message"] async for event in spawner.progress()]

    page = asyncio.create_task(read())
    start = asyncio.create_task(spawner.run_pre_spawn_hook())
    async with asyncio.timeout(1):
        while not service.opened:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0)
    service.hold.set()
    await start
    await spawner.load_user_options()
    messages = await page
    assert messages[-1] == "Pulling"
    assert "\n".join(messages[:-1]).startswith("Step 1\nStep 2\nThe image is there.")
    assert spawner._built[1].phase is Phase.BUILT


async def test_the_progress_of_a_start_that_fails_never_gets_to_kubespawner(make, service):
    """It would be cancelled while it starts the watches that all servers share."""
    reached = []

    class Pod(KubeSpawner):
        async def progress(self):
            reached.append(True)
            yield {"message": "Pulling"}

    service.answers = [RefNotFound("There is no such ref.")]
    spawner = make({TEXT: "git://h/r"})
    spawner.__class__ = type("S", (ImageBuilderSpawner, Pod), {"hub_side": spawner.hub_side})
    spawner.clear_state()

    async def read():
        return [event async for event in spawner.progress()]

    page = asyncio.create_task(read())
    with pytest.raises(HTTPError, match="no such ref"):
        await spawner.run_pre_spawn_hook()
    for _ in range(20):
        await asyncio.sleep(0)
    page.cancel()  # as JupyterHub does when the start is over
    await asyncio.gather(page, return_exceptions=True)
    assert reached == []


async def test_an_image_that_cannot_run_ends_the_start(make):
    cancelled = []

    class Stuck(KubeSpawner):
        def start(self):
            return asyncio.ensure_future(self._forever())

        async def _forever(self):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    spawner = make({TEXT: "git://h/r"})
    spawner.__class__ = type("S", (ImageBuilderSpawner, Stuck), {"hub_side": spawner.hub_side})
    await spawn(spawner)
    pod = {
        "spec": {"containers": [{"name": "notebook", "image": PINNED}]},
        "status": {
            "containerStatuses": [{"name": "notebook", "state": {"terminated": {"exitCode": 127}}}]
        },
    }
    spawner._own_pod = lambda: pod
    with pytest.raises(HTTPError, match="image-unusable"):
        await spawner.start()
    assert cancelled == [True]


async def test_a_start_that_works_is_passed_on(make):
    class Works(KubeSpawner):
        async def start(self):
            return "http://10.0.0.1:8888"

    spawner = make()
    spawner.__class__ = type("S", (ImageBuilderSpawner, Works), {"hub_side": spawner.hub_side})
    assert await spawner.start() == "http://10.0.0.1:8888"


def test_the_answers_of_the_fakes_are_sound():
    assert BUILT.phase is Phase.BUILT
    assert OPEN.phase is Phase.WAITING
