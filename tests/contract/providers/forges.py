"""Web APIs of hosts as far as providers use them, for the sample repository ``org/repo``.

Their answers have the form of the hosts' public documentation:

- GitHub, "Get a commit" and "Get a pull request": docs.github.com/en/rest/commits/commits and
  docs.github.com/en/rest/pulls/pulls
- GitHub, "Get a gist": docs.github.com/en/rest/gists/gists
- GitLab, "Retrieve a commit": docs.gitlab.com/api/commits
- Gitea, "Get a list of all commits from a repository": docs.gitea.com/api
- Bitbucket Cloud, "Get a commit": developer.atlassian.com/cloud/bitbucket/rest/api-group-commits
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from urllib.parse import unquote

from aiohttp import web

from .sample import Sample

DATE = "2026-11-21T09:00:00Z"
MESSAGE = "Fix the plot\n\nMore of it."


class Forge(ABC):
    """Finds commits as the hosts do; can be told to answer otherwise."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.requests: list[web.Request] = []
        self.answer: web.Response | None = None
        self.token: str | None = None  #: value of the header without which nothing is shown
        self.token_header = "Authorization"

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer
        if self.token is not None and request.headers.get(self.token_header) != self.token:
            return web.json_response({"message": "Not Found"}, status=404)
        return self.respond(request)

    @abstractmethod
    def respond(self, request: web.Request) -> web.Response:
        """As this kind of forge does."""

    def find(self, ref: str) -> str | None:
        known = {*self.sample.commits.values(), self.sample.old, self.sample.request}
        starts = [each for each in known if len(ref) >= 7 and each.startswith(ref)]
        return self.sample.commits.get(ref) or (starts[0] if len(starts) == 1 else None)


class GitHub(Forge):
    def respond(self, request):
        if request.path == "/repos/org/repo/pulls/12":
            return web.json_response({"number": 12, "head": {"sha": self.sample.request}})
        head, _, ref = request.raw_path.partition("/commits/")
        if head != "/repos/org/repo" or "/" in ref:
            return web.json_response({"message": "Not Found"}, status=404)
        ref = unquote(ref.partition("?")[0])
        found = self.find(ref)
        if found is None:
            return web.json_response({"message": f"No commit found for SHA: {ref}"}, status=422)
        headers = {"ETag": f'"{found}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        commit = {"message": MESSAGE, "committer": {"name": "a", "date": DATE}}
        return web.json_response({"sha": found, "commit": commit, "files": []}, headers=headers)


class Gist(Forge):
    """One gist: ``0123abcd`` of ``org``."""

    public = True

    def respond(self, request):
        if request.path != "/gists/0123abcd":
            return web.json_response({"message": "Not Found"}, status=404)
        tips = [self.sample.commits["main"], self.sample.old]
        return web.json_response(
            {
                "id": "0123abcd",
                "public": self.public,
                "owner": {"login": "Org"},
                "history": [{"version": each, "committed_at": DATE} for each in tips],
            }
        )


class GitLab(Forge):
    def respond(self, request):
        start = "/api/v4/projects/org%2Frepo/repository/commits/"
        if not request.raw_path.startswith(start):
            return web.json_response({"message": "404 Project Not Found"}, status=404)
        found = self.find(unquote(request.raw_path.removeprefix(start).partition("?")[0]))
        if found is None:
            return web.json_response({"message": "404 Commit Not Found"}, status=404)
        return web.json_response(
            {"id": found, "title": "Fix the plot", "message": MESSAGE, "committed_date": DATE}
        )


class Gitea(Forge):
    def respond(self, request):
        found = self.find(request.query.get("sha", ""))
        if request.path != "/api/v1/repos/org/repo/commits" or found is None:
            return web.json_response({"message": "The target couldn't be found."}, status=404)
        commit = {"message": MESSAGE, "committer": {"name": "a", "date": DATE}}
        return web.json_response([{"sha": found, "commit": commit}])


class Bitbucket(Forge):
    def respond(self, request):
        start = "/2.0/repositories/org/repo/commit/"
        found = self.find(request.path.removeprefix(start))
        if not request.path.startswith(start) or found is None:
            return web.json_response({"type": "error"}, status=404)
        return web.json_response({"hash": found, "message": MESSAGE, "date": DATE})
