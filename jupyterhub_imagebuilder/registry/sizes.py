"""How large an image is, by its manifest.

https://github.com/opencontainers/image-spec (manifest.md, image-index.md); Docker's older forms
have the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def layers_size(manifest: Mapping[str, Any]) -> int | None:
    """Bytes of the layers as the registry keeps them; None where the manifest does not say."""
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        return None
    sizes = [layer.get("size") if isinstance(layer, dict) else None for layer in layers]
    known = [size for size in sizes if type(size) is int and size >= 0]
    return sum(known) if len(known) == len(sizes) else None


def image_of(index: Mapping[str, Any], platform: str) -> str | None:
    """The digest of a platform's image in an index; None where there is none, or no index.

    :param platform: ``linux/amd64``, or with a variant ``linux/arm64/v8``.
    """
    images = index.get("manifests")
    for image in images if isinstance(images, list) else ():
        of = image.get("platform") if isinstance(image, dict) else None
        if not isinstance(of, dict):
            continue
        plain = f"{of.get('os')}/{of.get('architecture')}"
        if platform in (plain, f"{plain}/{of.get('variant')}"):
            digest = image.get("digest")
            return digest if isinstance(digest, str) else None
    return None
