"""The spawner's part: the form's choice, the wait before a start, and the gate in it.

A mixin that ``setup_ui`` mixes in.  What it does with an image is said for KubeSpawner here; for
other spawners, ``mixing.py`` puts a class in front that says it otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from jupyterhub.utils import maybe_future
from tornado.web import HTTPError
from traitlets import Float, Integer, Unicode, default

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.errors import ImageBuilderError
from jupyterhub_imagebuilder.hub.client import BuildAnswer
from jupyterhub_imagebuilder.hub.config_file import option
from jupyterhub_imagebuilder.hub.failures import (
    leave_out_of_failure_count,
    sentence,
    spawn_failure,
)
from jupyterhub_imagebuilder.hub.form import FormChoice
from jupyterhub_imagebuilder.hub.gate import Admitted, admit
from jupyterhub_imagebuilder.hub.profile import Build, Selection, selection
from jupyterhub_imagebuilder.hub.progress import build_progress
from jupyterhub_imagebuilder.hub.shared import HubSide
from jupyterhub_imagebuilder.hub.starting import watch_pod
from jupyterhub_imagebuilder.hub.waiting import WaitView, Wish, seats, wait_for_build


class ImageBuilderSpawner(FormChoice):
    """Lets a spawner start servers from images that are built from repositories."""

    build_timeout = Integer(
        3600,
        config=True,
        help="Seconds that a server's start waits for its image; apart from ``start_timeout``.",
    )
    pull_secret = Unicode(
        config=True,
        help="""Name of the secret that pulls built images, in the servers' namespace.
        Default: ``c.KubernetesExecutor.push_secret``.  Empty for none.""",
    )
    max_waiting_fraction = Float(
        0.25,
        min=0,
        max=1,
        config=True,
        help="The part of ``concurrent_spawn_limit`` that may wait for builds at once.",
    )
    progress_interval = Float(
        1.0, min=0.05, config=True, help="Seconds between two events on the progress page."
    )
    pull_grace = Integer(
        60, config=True, help="Seconds for which a node may fail to pull a built image."
    )

    # KubeSpawner's, which comes behind this class
    image_pull_secrets: Any
    extra_container_config: Any

    _wait: WaitView | None = None
    _built: tuple[Build, BuildAnswer] | None = None
    _image_of_ours: str | None = None

    @default("pull_secret")
    def _pull_secret_default(self) -> str:
        name = option(self.config, "KubernetesExecutor", "push_secret", "")
        return name if isinstance(name, str) else ""

    @property
    def _side(self) -> HubSide:
        if self.hub_side is None:
            raise ImageBuilderError("setup_ui(c) was not called for this spawner.")
        if self.hub is not None:
            self.hub_side.base_url = self.hub.base_url.removesuffix("hub/")
        return self.hub_side

    @property
    def _owner(self) -> Owner:
        """Whose server it is, whoever clicked."""
        groups = frozenset(group.name for group in self.user.groups)
        return Owner(self.user.name, groups=groups, admin=bool(self.user.admin))

    def clear_state(self) -> None:
        """Forget the start before; JupyterHub calls this before each start."""
        super().clear_state()
        self._built = self._image_of_ours = None
        # an open one belongs to a progress page that was faster than the start
        if self._wait is not None and self._wait.closed.is_set():
            self._wait = None

    @property
    def _view(self) -> WaitView:
        """What the progress page sees of this start; it may ask before the start gets here."""
        self._wait = self._wait or WaitView()
        return self._wait

    async def run_pre_spawn_hook(self) -> None:
        """Wait for the build, if one was chosen; then run the admin's hook."""
        view = self._view
        try:
            # filled in by KubeSpawner, and kept without our choice
            self._get_initialized_profile_list(await self._profiles_now())
            with self._refusals():
                chosen = self._selection()
                if isinstance(chosen, Build):
                    self._built = (chosen, await self._wait_for(chosen, view))
                    self._remember(self._built[1].commit)
        finally:
            view.closed.set()
        await maybe_future(super().run_pre_spawn_hook())

    async def _wait_for(self, chosen: Build, view: WaitView) -> BuildAnswer:
        side = self._side
        limit = self.user.settings.get("concurrent_spawn_limit") or 0
        wish = Wish(
            chosen.text,
            self._owner,
            chosen.commit,
            timeout=self.build_timeout,
            seats=seats(self.max_waiting_fraction, limit),
        )
        return await wait_for_build(wish, side.client, side.streams, side.room, view)

    async def load_user_options(self) -> None:
        """KubeSpawner's own, then the gate: on every path that starts a server."""
        await super().load_user_options()
        with self._refusals():
            await self._pass_gate()
        self._view.admitted.set()

    def _selection(self) -> Selection:
        return selection(self.user_options, self._admin_profiles, self._choice)

    async def _pass_gate(self) -> None:
        chosen = self._selection()
        if chosen is None:
            return
        known = None
        if self._built is not None and self._same(self._built[0], chosen):
            known = self._built[1]
        admitted = await admit(
            chosen, self.image, self._owner, self._side.client, prefix=self._prefix, known=known
        )
        if admitted is not None:
            self._start_from(admitted)

    @property
    def _prefix(self) -> str:
        """Of the images that the service builds."""
        return str(option(self.config, "ImageBuilder", "image_prefix", ""))

    def _same(self, waited_for: Build, chosen: Selection) -> bool:
        """Whether it is what the hook waited for; the commit was filled in meanwhile."""
        return isinstance(chosen, Build) and chosen.text == waited_for.text

    def _start_from(self, admitted: Admitted) -> None:
        self._use_image(admitted.image)
        if admitted.commit:
            self._remember(admitted.commit)
        self._image_of_ours = admitted.image

    def _use_image(self, image: str) -> None:
        """Let the server start from an image of ours, which is pinned."""
        self.image = image
        secrets = list(self.image_pull_secrets or [])
        names = [each.get("name") if isinstance(each, dict) else each for each in secrets]
        if self.pull_secret and self.pull_secret not in names:
            # a new list: the old one is the configuration's
            self.image_pull_secrets = [*secrets, {"name": self.pull_secret}]
        policy = "terminationMessagePolicy"
        if not {policy, "termination_message_policy"} & set(self.extra_container_config):
            # an image that cannot run a server says why in its log, which is else out of reach
            self.extra_container_config = {
                **self.extra_container_config,
                policy: "FallbackToLogsOnError",
            }

    def _remember(self, commit: str) -> None:
        """Save what the ref meant: a restart never moves to a newer commit by itself."""
        if self.user_options.get(self._choice.commit_key) == commit:
            return
        options = {**self.user_options, self._choice.commit_key: commit}
        self.user_options = options
        if self.orm_spawner is not None:
            self.orm_spawner.user_options = options
            self.user.db.commit()

    async def start(self) -> Any:
        """The spawner's own, which ends early where the image turns out to be unusable."""
        starting = asyncio.ensure_future(maybe_future(super().start()))
        watching = asyncio.ensure_future(self._until_hopeless())
        both = {starting, watching}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                with self._refusals():
                    await watching
            return await starting
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _until_hopeless(self) -> None:
        """Raise the sentence for an image that will not run."""
        try:
            await watch_pod(self._own_pod, lambda: self._image_of_ours, self.pull_grace)
        except ImageBuilderError:
            raise
        except Exception:  # looking is a courtesy, the start goes on without
            self.log.exception("The image builder cannot watch the pod of %s", self.user.name)

    def _own_pod(self) -> Mapping[str, Any] | None:
        reflector = self.pod_reflector
        if reflector is None:
            return None
        pod: Mapping[str, Any] | None = reflector.pods.get(f"{self.namespace}/{self.pod_name}")
        return pod

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """The build's log, then the events of the pod."""
        interval, pages = self.progress_interval, self._page_of_build
        async with aclosing(build_progress(self._view, interval, pages)) as events:
            async for event in events:
                yield event
        # JupyterHub cancels this when the start has failed: KubeSpawner must not be in the midst
        # of starting its watches then, which all servers share and which would never start again
        await self._view.admitted.wait()
        async with aclosing(super().progress()) as events:
            async for event in events:
                yield event

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn our errors into what JupyterHub shows, and keep them out of its failure count."""
        try:
            yield
        except ImageBuilderError as error:
            self.log.warning("Not starting the server of %s: %s", self.user.name, sentence(error))
            leave_out_of_failure_count(self)
            build_id = None if self._wait is None else self._wait.build_id
            page = self._page_of_build(build_id) if build_id else None
            raise spawn_failure(error, page) from error
        except HTTPError:
            raise
        except Exception as error:
            self.log.exception("The image builder's side of the hub failed")
            leave_out_of_failure_count(self)
            raise spawn_failure(
                ImageBuilderError("The hub could not check this choice; its log says more.")
            ) from error
