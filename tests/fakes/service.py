"""A stand-in for the image builder's service, of ``docs/reference/rest-api.md``.

What happens to a build is in its text: ``cached``, ``fails``, ``missing``, ``slow`` (never ends) or
anything else, which is built after three lines of log.  ``python -m tests.fakes.service`` listens
where JupyterHub's environment says.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from urllib.parse import urlsplit

from aiohttp import web

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DIGEST = "sha256:" + "a" * 64


class FakeImageBuilder:
    """Keeps what it was asked, for tests that run it in their own process."""

    def __init__(self, token, prefix):
        self.token = token
        self.builds = {}
        self.bodies = []
        self.app = web.Application()
        self.app.add_routes(
            [
                web.get(prefix, self.root),
                web.get(f"{prefix}health", self.health),
                web.post(f"{prefix}api/builds", self.start),
                web.get(prefix + "api/builds/{id}/events", self.events),
                web.post(f"{prefix}api/images", self.vouch),
            ]
        )

    async def root(self, request):
        return web.Response(text="image builder")

    async def health(self, request):
        return web.json_response({"ok": True, "checks": []})

    def refusal(self, request):
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refuse(401, "authentication-required", "A valid token is needed.")
        return None

    async def start(self, request):
        if (refusal := self.refusal(request)) is not None:
            return refusal
        body = await request.json()
        self.bodies.append(body)
        text = body["repository"]
        if "missing" in text:
            return refuse(404, "ref-not-found", f"There is no repository at {text}.")
        if "crash" in text:
            return web.Response(status=502, text="Bad gateway")
        build_id = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        over = "cached" in text or self.builds.get(build_id) == "built"
        self.builds.setdefault(build_id, "open")
        answer = {
            "id": build_id,
            "phase": "built" if over else "waiting",
            "message": "The image is there." if over else "The build waits.",
            "reason": None,
            "commit": body.get("commit") or COMMIT,
            "image": f"registry.test/team/{build_id}:{COMMIT}",
            "digest": DIGEST if over else None,
        }
        return web.json_response(answer, status=200 if over else 202)

    async def events(self, request):
        if (refusal := self.refusal(request)) is not None:
            return refusal
        build_id = request.match_info["id"]
        if build_id not in self.builds:
            return refuse(404, "build-not-found", "There is no such build.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b":keepalive\n\n")
        for index, text in enumerate(("Step 1/2", "Step <2>/2", "the last line")):
            line = {"type": "log", "text": text, "phase": "building"}
            frame = f"id: uid-{build_id}:{index}\ndata: {json.dumps(line)}\n\n"
            await response.write(frame.encode())
        if "slow" in build_id:
            await asyncio.Event().wait()
        if "cut" in build_id:
            return response
        end = {"type": "phase", "phase": "built", "message": "The image is there.", "reason": None}
        end |= {"image": f"registry.test/team/{build_id}:{COMMIT}", "digest": DIGEST}
        if "fails" in build_id:
            end |= {"phase": "failed", "message": "A step failed.", "reason": "build-failed"}
            end |= {"image": None, "digest": None}
        else:
            self.builds[build_id] = "built"
        await response.write(f"data: {json.dumps(end)}\n\n".encode())
        return response

    async def vouch(self, request):
        if (refusal := self.refusal(request)) is not None:
            return refusal
        image = (await request.json())["image"]
        if not image.endswith(f"@{DIGEST}"):
            return refuse(404, "image-unknown", "No build of yours stands behind this image.")
        return web.json_response({"image": image})


def refuse(status, reason, message):
    return web.json_response({"reason": reason, "message": message}, status=status)


def main():
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    service = FakeImageBuilder(
        os.environ["JUPYTERHUB_API_TOKEN"], os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    )
    web.run_app(service.app, host=url.hostname, port=url.port, print=None, shutdown_timeout=0.5)


if __name__ == "__main__":
    main()
