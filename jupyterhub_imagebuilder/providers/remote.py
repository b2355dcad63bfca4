"""Asks a repository over git's own protocols, and says in our words what went wrong."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus

from jupyterhub_imagebuilder.builds.model import Refs
from jupyterhub_imagebuilder.errors import ImageBuilderError, ProviderUnavailable, RefNotFound
from jupyterhub_imagebuilder.providers.gitcommand import (
    GitFailedError,
    GitFolder,
    GitMissingError,
    Login,
    git_folder,
)
from jupyterhub_imagebuilder.providers.listing import PATTERNS, read_listing
from jupyterhub_imagebuilder.providers.refs import patterns_for, read_ls_remote

_log = logging.getLogger(__name__)

_STATUS = re.compile(r"returned error: (\d{3})")
_REDIRECTED = re.compile(r"returned error: 30[12378]\b|unable to update url base")
_ABSENT = re.compile(
    r"not found|not exported|does not exist|does not appear to be a git|is this a git repository"
    r"|could not read username|authentication failed|access denied|permission denied"
    r"|unable to update url base",
    re.IGNORECASE,
)
#: What git says when it got no answer, and what follows "does not answer" then; in this order.
_UNAVAILABLE = (
    (
        re.compile(
            r"could not resolve|unable to look up|unable to connect|failed to connect"
            r"|couldn't connect|connection refused|timed out|timeout|connection reset"
            r"|unreachable|hung up|early eof|empty reply|too slow|rpc failed",
            re.IGNORECASE,
        ),
        "",
    ),
    (
        re.compile(r"certificate|SSL|TLS", re.IGNORECASE),
        " safely: its certificate is not trusted here",
    ),
    (
        re.compile(r"protocol error|could not read from remote repository", re.IGNORECASE),
        " as a Git server does",
    ),
)
_VERSION = re.compile(r"version ([0-9]{1,4})\.([0-9]{1,4})")
_AMBIGUOUS = "is ambiguous"
_ABSENT_STATUS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
    }
)

#: Commits alone where the server can leave out files; nothing that is not asked for.
_FETCH = (
    "fetch",
    "--quiet",
    "--filter=tree:0",
    "--no-tags",
    "--no-recurse-submodules",
)
_SHA256_DIGITS = 64


class CannotAskError(Exception):
    """The server cannot be asked for a single commit, or answers with too much."""


class RedirectedError(Exception):
    """The host says that the repository is at another address."""


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A repository that git can reach."""

    url: str
    host: str
    protocols: Sequence[str]
    timeout: float  #: seconds after which git gives up a transfer that stands still
    settings: Sequence[str] = ()  #: ``-c`` settings of git
    size_limit: int | None = None  #: bytes that a temporary copy may take
    target: str = ""  #: what git is given where it is not ``url``, which sentences name
    environment: Mapping[str, str] = field(default_factory=dict)  #: of git, beside its own
    login: Login | None = None
    ca_file: str = ""  #: CA certificates beside the system's

    async def refs(self, ref: str) -> dict[str, str]:
        """Refs that ``ref`` can stand for, with their commits, by one ``git ls-remote``.

        Where it can be a commit: all branches and tags.

        :raises RedirectedError: the host sends elsewhere, where nobody went.
        :raises RefNotFound: the repository is not there, or not public.
        :raises ProviderUnavailable: no answer.
        """
        listed = await self._ls_remote("--", self._target, *patterns_for(ref))
        return await asyncio.to_thread(read_ls_remote, listed)

    async def listing(self) -> Refs:
        """All branches and tags, by one ``git ls-remote``; raises as :meth:`refs`."""
        listed = await self._ls_remote("--symref", "--", self._target, *PATTERNS)
        # a host can make up a million refs, which take seconds
        return await asyncio.to_thread(read_listing, listed)

    async def _ls_remote(self, *arguments: str) -> str:
        try:
            with self._folder() as folder:
                return await folder.run("ls-remote", *arguments)
        except GitFailedError as error:
            if _REDIRECTED.search(error.messages):
                raise RedirectedError from error
            raise self._translated(error) from error
        except GitMissingError as error:
            raise self._translated(error) from error

    async def version(self) -> tuple[int, ...]:
        """Of the program git, as (2, 39).

        :raises ProviderUnavailable: there is none.
        """
        try:
            with self._folder() as folder:
                said = await folder.run("version")
        except (GitFailedError, GitMissingError) as error:
            raise self._translated(error) from error
        match = _VERSION.search(said)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    async def expand(self, prefix: str, digits: int) -> str | None:
        """The commit that starts so, of all that branches and tags hold; None when none does.

        Fetches the history without its files.

        :param digits: length of a whole commit id of this repository.
        :raises CannotAskError: the history is too large.
        :raises RefNotFound: more than one commit starts so.
        :raises ProviderUnavailable: no answer.
        """
        try:
            with self._folder() as folder:
                await _initialise(folder, digits)
                await folder.run(
                    *_FETCH,
                    "--",
                    self._target,
                    "+refs/heads/*:refs/heads/*",
                    "+refs/tags/*:refs/tags/*",
                )
                return await _verified(folder, prefix)
        except GitFailedError as error:
            if error.cut:
                raise CannotAskError from error
            if _AMBIGUOUS in error.messages:
                raise self.ambiguous(prefix) from error
            raise self._translated(error) from error
        except GitMissingError as error:
            raise self._translated(error) from error

    def ambiguous(self, prefix: str) -> RefNotFound:
        """More than one commit starts so."""
        return RefNotFound(
            f"More than one commit of {self.url} starts with {prefix}: give more of its digits."
        )

    @property
    def _target(self) -> str:
        return self.target or self.url

    def _folder(self) -> AbstractContextManager[GitFolder]:
        return git_folder(
            self.protocols,
            self.timeout,
            self.settings,
            self.size_limit,
            environment=self.environment,
            login=self.login,
            ca_file=self.ca_file,
        )

    def _translated(self, error: GitFailedError | GitMissingError) -> ImageBuilderError:
        if isinstance(error, GitMissingError):
            return ProviderUnavailable(
                "The image builder cannot read repositories: "
                "the program git is not installed with it."
            )
        return explain(error.messages, self.url, self.host)


def explain(messages: str, url: str, host: str) -> ImageBuilderError:
    """Say what git's own words (in the C locale) mean for the user."""
    status = _STATUS.search(messages)
    code = int(status[1]) if status else 0
    if code in _ABSENT_STATUS or (not code and _ABSENT.search(messages)):
        return RefNotFound(f"The repository {url} does not exist or is private.")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return ProviderUnavailable(f"The host {host} takes no more requests for now: try later.")
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailable(f"The host {host} does not answer: it reports error {code}.")
    for words, meaning in _UNAVAILABLE:
        if words.search(messages):
            return ProviderUnavailable(f"The host {host} does not answer{meaning}.")
    _log.warning("git cannot read %s: %s", url, messages.strip())
    return ProviderUnavailable(f"The repository {url} cannot be read.")


async def _initialise(folder: GitFolder, digits: int) -> None:
    """Make an empty bare repository, for commit ids of this length."""
    kind = "sha256" if digits == _SHA256_DIGITS else "sha1"
    await folder.run("init", "--quiet", "--bare", "--template=", f"--object-format={kind}")


async def _verified(folder: GitFolder, name: str) -> str | None:
    """The whole id of the commit that the name means; None when it means none.

    :raises GitFailedError: it means several.
    """
    try:
        return (await folder.run("rev-parse", "--verify", f"{name}^{{commit}}")).strip()
    except GitFailedError as error:
        if _AMBIGUOUS in error.messages:
            raise
        return None
