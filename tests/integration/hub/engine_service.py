"""The service's stand-in with images that an engine really has.

``python -m tests.integration.hub.engine_service '{"": ["<image>", "<digest>"], …}'``: what a build
comes to; the key is looked for in the repository's address, the first that is in it counts.
"""

from __future__ import annotations

import json
import sys

from aiohttp import web

from tests.fakes import service


class EngineImageBuilder(service.FakeImageBuilder):
    """Builds after three lines of log; the image was there all along."""

    images = json.loads(sys.argv[1])

    def image_of(self, text):
        return next(image for key, image in self.images.items() if key in text)

    async def start(self, request):
        answer = await super().start(request)
        if answer.status >= 400:
            return answer
        data = json.loads(answer.text)
        image, digest = self.image_of((await request.json())["repository"])
        self.builds[data["id"] + "-image"] = image, digest
        data |= {"image": image, "digest": digest if data["phase"] == "built" else None}
        return web.json_response(data, status=answer.status)

    async def events(self, request):
        build_id = request.match_info["id"]
        image, digest = self.builds[f"{build_id}-image"]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for index, text in enumerate(("Step 1/2", "Step <2>/2", "the last line")):
            line = {"type": "log", "text": text, "phase": "building"}
            frame = f"id: uid-{build_id}:{index}\ndata: {json.dumps(line)}\n\n"
            await response.write(frame.encode())
        end = {"type": "phase", "phase": "built", "message": "The image is there.", "reason": None}
        end |= {"image": image, "digest": digest}
        if "fails" in build_id:
            end |= {"phase": "failed", "message": "A step failed.", "reason": "build-failed"}
            end |= {"image": None, "digest": None}
        await response.write(f"data: {json.dumps(end)}\n\n".encode())
        return response

    async def vouch(self, request):
        if (refusal := self.refusal(request)) is not None:
            return refusal
        asked = (await request.json())["image"]
        if any(asked.endswith(f"@{digest}") for _, digest in self.images.values()):
            return web.json_response({"image": asked})
        message = "No build of yours stands behind this image."
        return service.refuse(404, "image-unknown", message)


if __name__ == "__main__":
    service.FakeImageBuilder = EngineImageBuilder
    service.main()
