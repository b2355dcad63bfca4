"""The one question that is put to GitHub's REST API: which commit a ref means.

Source of the format: GitHub's documentation of "Get a commit" (docs.github.com/en/rest/commits)
and "Get a pull request" (docs.github.com/en/rest/pulls), whose head is no ref for the former.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from jupyterhub_imagebuilder.providers.forge import field, found_in
from jupyterhub_imagebuilder.providers.githost import Found
from jupyterhub_imagebuilder.providers.hostapi import Answer, HostApi, read_json

_ACCEPT = "application/vnd.github+json"
_REQUEST = re.compile(r"refs/pull/([0-9]+)/head")
#: An empty repository, and a ref that is not there.
_NO_COMMIT = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, slots=True)
class GitHubApi:
    """Asks about one repository."""

    api: HostApi
    org: str
    repo: str

    async def commit(self, ref: str) -> Found | None:
        """The commit that the ref means; None when there is no such ref.

        :raises RefNotFound: GitHub knows no such repository, or does not show it.
        :raises ProviderUnavailable: GitHub does not answer, refuses the token, or has had enough
            requests of us.
        """
        request = _REQUEST.fullmatch(ref)
        if request is not None:
            return await self._head_of_request(request[1])
        # The files of the commit, which come with it, are not wanted.
        answer = await self._get(f"commits/{quote(ref, safe='')}?per_page=1", passing=_NO_COMMIT)
        if answer.status in _NO_COMMIT:
            return None
        said = read_json(answer)
        commit = field(said, "commit")
        return found_in(
            field(said, "sha"), field(commit, "message"), field(commit, "committer", "date")
        )

    async def _head_of_request(self, number: str) -> Found:
        said = read_json(await self._get(f"pulls/{number}"))
        return found_in(field(said, "head", "sha"), None, None)

    async def _get(self, path: str, passing: Collection[int] = ()) -> Answer:
        return await self.api.get(
            f"repos/{quote(self.org)}/{quote(self.repo)}/{path}",
            accept=_ACCEPT,
            what=f"The GitHub repository {self.org}/{self.repo}",
            passing=passing,
        )
