"""Names that follow from a build's key: the same key, the same names, on every machine.

The key is repository (canonical URL with its host), full commit, and what else changes the image:
build settings and platform.  The image's repository is readable and carries a hash of the URL, so
that ``org/repo`` of two hosts never share one; its tag carries the commit and a part of the key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyterhub_imagebuilder.builds.model import ImageName, ResolvedRef

#: What images are named that stay in the engine which builds them: there is no registry in it.
IMAGES_OF_THE_ENGINE = "imagebuilder/"

#: Longest name of an image's repository, without the registry's host: the limit that registries
#: share (distribution spec: 255 with the host).
_REPOSITORY_LIMIT = 180
#: Longest readable part of a tag: a SHA-256 commit; the limit of a tag is 128.
_COMMIT_LIMIT = 64
#: Kubernetes' limit for a label value and a DNS label (RFC 1123).
_BUILD_NAME_LIMIT = 63


def build_key(resolved: ResolvedRef, settings: Mapping[str, object], platform: str) -> str:
    """The identity of a build: 64 hexadecimal digits.

    :param settings: what else changes the image: JSON-able, order does not matter.
    :param platform: ``linux/amd64``.
    """
    identity = [resolved.spec.repository, resolved.commit, settings, platform]
    return _sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")))


def image_name(resolved: ResolvedRef, key: str, prefix: str) -> ImageName:
    """The image's name, of the whole key.

    :param prefix: ``registry.example.org/team/`` or ``registry.example.org/team/hub-``.
    """
    registry, path = split_prefix(prefix)
    repository = resolved.spec.repository
    url_hash = _sha256(repository)[:12]
    slug = _slug(repository, _REPOSITORY_LIMIT - len(path) - len(url_hash) - 1)
    commit = re.sub(r"[^A-Za-z0-9_]+", "-", resolved.commit).strip("-")[:_COMMIT_LIMIT]
    return ImageName(registry, f"{path}{slug}-{url_hash}", f"{commit or 'x'}-{key[:12]}")


def build_name(resolved: ResolvedRef, key: str) -> str:
    """The DNS-safe name that pods and containers of the build carry.

    80 bits of the key are in it: names do not collide by chance, and who finds one taken checks
    the whole key.
    """
    suffix = key[:20]
    room = _BUILD_NAME_LIMIT - len("build-") - len(suffix) - 1
    return f"build-{_slug(resolved.spec.repository, min(room, 30))}-{suffix}"


def split_prefix(prefix: str) -> tuple[str, str]:
    """Split an image prefix into registry host and the rest.

    As in Docker, the first part is a host where it has a dot or a colon, or is ``localhost``;
    otherwise no registry is configured.

    >>> split_prefix("registry.example.org:5000/team/hub-")
    ('registry.example.org:5000', 'team/hub-')
    >>> split_prefix("hub-")
    ('', 'hub-')
    """
    host, slash, rest = prefix.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return host, rest
    return "", prefix


def _slug(repository: str, limit: int) -> str:
    """The readable part: the path's last two parts, in characters that every name allows."""
    parts = [part for part in urlsplit(repository).path.split("/") if part][-2:]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    return slug[: max(limit, 1)].strip("-") or "repo"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
