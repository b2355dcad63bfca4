"""Pictures of what the tests see, for the documentation; made only where they are asked for.

``make screenshots`` does: ``IMAGEBUILDER_SCREENSHOTS`` names the folder that they go into.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "IMAGEBUILDER_SCREENSHOTS"
#: Pixels around a part, and of height at most: what is below says nothing new.
_MARGIN = 16
_TALLEST = 1000


def picture(page, name, part=None):
    """Keep a picture of a part of the page, or of the window as it is."""
    if not (folder := os.environ.get(VARIABLE)):
        return
    path = Path(folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    if part is None:
        page.screenshot(path=path, animations="disabled", caret="hide")
        return
    window = page.viewport_size
    # a taller window, and time for what fits itself to it
    page.set_viewport_size(window | {"height": _TALLEST})
    part.evaluate("element => scrollBy(0, element.getBoundingClientRect().top - 16)")
    page.wait_for_timeout(500)
    box = part.bounding_box()
    left, top = (max(0, box[side] - _MARGIN) for side in "xy")
    clip = {
        "x": left,
        "y": top,
        "width": min(window["width"], box["x"] + box["width"] + _MARGIN) - left,
        "height": min(_TALLEST, box["y"] + box["height"] + _MARGIN) - top,
    }
    page.screenshot(path=path, clip=clip, animations="disabled", caret="hide")
    page.set_viewport_size(window)
