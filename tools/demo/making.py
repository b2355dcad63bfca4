"""Images from the distribution's packages and pip's, where no registry can be reached.

A root file system of the machine's own release comes first (mmdebstrap: Debian's tool for that, of
several that ask for no container to begin with); JupyterLab and repo2docker are then installed on
top of it at the same time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.demo import machine
from tools.demo.api import Api, EngineError
from tools.demo.state import State, Unusable, say

#: Another number for another recipe.
PREFIX = "imagebuilder-demo/"
ROOT, BASE, BUILD, CLASSIC = (
    f"{PREFIX}{name}:1" for name in ("root", "base", "repo2docker", "repo2docker-classic")
)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: Python's libraries bring certificates of their own, which know no company's.
_ENVIRONMENT = (
    f"SSL_CERT_FILE={_CERTIFICATES}",
    f"REQUESTS_CA_BUNDLE={_CERTIFICATES}",
    "LANG=C.UTF-8",
)
_INCLUDED = "ca-certificates,python3-venv"
#: Where python3-venv and buildx are.
_COMPONENTS = ("main", "universe")
_TARGETS = "$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(ORIGIN)|$(SIGNED_BY)"
#: Of apt's settings, those that say how to reach a mirror.
_REACHING = re.compile(
    r"Acquire::https?::(?:Proxy|CaInfo|Verify-Peer|Verify-Host)\b", re.IGNORECASE
)
#: Seconds of silence: pip says nothing while it downloads and unpacks.
_SILENCE = 900.0
_CHUNK = 1 << 20
#: Before 2025.08 repo2docker asks the engine itself to build; later ones want the client's buildx.
_WITHOUT_BUILDX = "jupyter-repo2docker==2024.7.0"
_WITH_BUILDX = "jupyter-repo2docker==2026.4.0"


def make(api: Api, state: State) -> tuple[str, str]:
    """Make the image to build on and the one that builds; their names.

    :raises EngineError: the engine could not.
    :raises Unusable: the machine could not.
    """
    if not api.has(f"/images/{ROOT}/json"):
        say(f"making a small {machine.release().get('NAME', 'system')}, from packages")
        with _root(state) as archive:
            _import(api, archive)
    say("installing JupyterLab on one copy of it, repo2docker on another")
    client = machine.available("docker-buildx", "docker-cli")
    build = BUILD if "docker-buildx" in client else CLASSIC
    recipes = ((BASE, base_recipe()), (build, build_recipe(client)))
    with ThreadPoolExecutor(len(recipes)) as pool:
        for done in [pool.submit(_build, api, name, recipe) for name, recipe in recipes]:
            done.result()
    return BASE, build


def base_recipe() -> list[str]:
    """Dockerfile of the image to build on: the user may add packages, as in Jupyter's own."""
    return [
        f"FROM {ROOT}",
        _run("useradd", "--create-home", "--uid=1000", "--shell=/bin/bash", "jovyan"),
        _run("install", "--directory", "--owner=jovyan", "--group=jovyan", "/opt/jupyter"),
        "USER jovyan",
        "ENV HOME=/home/jovyan PATH=/opt/jupyter/bin:$PATH",
        *_venv("/opt/jupyter", "jupyterlab>=4", "jupyterhub>=5.2,<6"),
        "WORKDIR /home/jovyan",
        'CMD ["jupyterhub-singleuser"]',
    ]


def build_recipe(available: set[str]) -> list[str]:
    """Dockerfile of the image that builds.

    :param available: what the release has of the packages ``docker-buildx`` and ``docker-cli``.
    """
    packages = ["git"]
    if "docker-buildx" in available:
        packages += ["docker-buildx", "docker-cli" if "docker-cli" in available else "docker.io"]
    buildx = "docker-buildx" in available
    # its classic relative imports pkg_resources, which newer ones have not
    pinned = [_WITH_BUILDX] if buildx else [_WITHOUT_BUILDX, "setuptools<80"]
    return [
        f"FROM {ROOT}",
        _run("apt-get", "update", "-qq"),
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages),
        "ENV PATH=/opt/repo2docker/bin:$PATH",
        *_venv("/opt/repo2docker", *pinned),
    ]


def sources(targets: str, release: Mapping[str, str]) -> list[str]:
    """Lines of ``sources.list`` for a root of the machine's own release, from its own mirrors.

    :param targets: what ``apt-get indextargets`` prints in the format above.
    :param release: ``/etc/os-release``.
    """
    codename = release.get("VERSION_CODENAME", "")
    suites = [codename, f"{codename}-updates", f"{codename}-security"]
    found: dict[tuple[str, str, str], list[str]] = {}
    for line in targets.splitlines():
        suite, component, uri, origin, signed_by = line.split("|", 4)
        ours = origin in ("Debian", "Ubuntu") or origin.startswith("$(") or not origin
        if suite in suites and component in _COMPONENTS and ours:
            key = signed_by if signed_by.startswith("/") else ""
            components = found.setdefault((uri, suite, key), [])
            if component not in components:
                components.append(component)
    if not any(suite == codename for _, suite, _ in found):
        raise Unusable(
            "images can be made on Debian and Ubuntu only, from the mirrors that apt knows: use a"
            " network that reaches quay.io."
        )
    return [
        f"deb {f'[signed-by={key}] ' if key else ''}{uri} {suite} {' '.join(components)}"
        for (uri, suite, key), components in found.items()
    ]


def reaching(settings: str) -> list[str]:
    """Of apt's settings (``apt-config dump``), those that a root needs to reach the mirrors too."""
    return [line for line in settings.splitlines() if _REACHING.match(line)]


@contextlib.contextmanager
def _root(state: State) -> Iterator[Iterator[bytes]]:
    """A root file system as a tar archive, in pieces.

    :raises Unusable: it cannot be made; the exit does so, as it shows only at the end.
    """
    tool = _tool(state)
    codename = machine.release().get("VERSION_CODENAME", "")
    settings = reaching(_said("apt-config", "dump"))
    lines = sources(
        _said("apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"),
        machine.release(),
    )
    words = [
        *tool,
        "--variant=minbase",
        "--format=tar",
        "--skip=check/qemu",
        "--dpkgopt=force-unsafe-io",
        f"--include={_INCLUDED}",
        *(f"--aptopt={line}" for line in settings),
        *_certificates(),
        codename,
        "-",
        *lines,
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, cwd="/"
        )
        assert process.stdout is not None  # noqa: S101 - for the type
        try:
            yield iter(lambda: process.stdout.read(_CHUNK), b"")  # type: ignore[union-attr]
        finally:
            process.stdout.close()
            code = process.wait()
        if code != 0:
            said.seek(0)
            raise Unusable(f"mmdebstrap failed: {_why(said.read().decode(errors='replace'))}")


def _tool(state: State) -> list[str]:
    """The command that makes a root file system: as root, or else in a user namespace."""
    path = machine.program("mmdebstrap")
    before = machine.root()
    if path is None and before is not None and machine.with_apt():
        machine.install(["mmdebstrap"], state)
        path = machine.program("mmdebstrap")
    if path is None or not machine.with_apt():
        raise Unusable(
            "quay.io cannot be reached, and to make images instead the package mmdebstrap is"
            " needed: install it, which needs root once."
        )
    if before is not None:
        return [*before, path, "--mode=root"]
    return [path, "--mode=unshare"]


def _certificates() -> list[str]:
    """Put this machine's certificates in place of the distribution's, a company's among them."""
    if not _CERTIFICATES.exists():
        return []
    return [f"--customize-hook=copy-in {_CERTIFICATES} {_CERTIFICATES.parent}"]


def _import(api: Api, archive: Iterator[bytes]) -> None:
    name, _, tag = ROOT.rpartition(":")
    changes = [f"ENV {line}" for line in _ENVIRONMENT]
    arguments = [("fromSrc", "-"), ("repo", name), ("tag", tag)]
    for _ in api.work(
        "/images/create",
        archive,
        timeout=_SILENCE,
        query=[*arguments, *(("changes", change) for change in changes)],
    ):
        pass


def _build(api: Api, name: str, recipe: Sequence[str]) -> None:
    proxies = {key: os.environ[key] for key in machine.PROXIES if key in os.environ}
    last = ""
    query = [("t", name), ("rm", "1"), ("forcerm", "1"), ("buildargs", proxies)]
    try:
        for item in api.work("/build", _context(recipe), timeout=_SILENCE, query=query):
            last = str(item.get("stream") or "").strip() or last
    except EngineError as error:
        raise EngineError(f"{name}: {last or error}", error.code) from error


def _context(recipe: Sequence[str]) -> bytes:
    text = "\n".join(recipe).encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return archive.getvalue()


def _venv(folder: str, *requirements: str) -> list[str]:
    """Steps that install packages of Python's: uv takes a tenth of pip's time."""
    tools = ("-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "-q", "uv")
    python = f"{folder}/bin/python3"
    into = ("pip", "install", "-q", "--no-cache", "--compile-bytecode", f"--python={python}")
    return [
        _run("python3", "-m", "venv", folder),
        _run(python, *tools),
        _run(f"{folder}/bin/uv", *into, *requirements),
    ]


def _run(*words: str) -> str:
    """A step of a Dockerfile, without a shell."""
    return f"RUN {json.dumps(words)}"


def _said(*words: str) -> str:
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout  # noqa: S603


def _why(said: str) -> str:
    """The line that says most of a program's errors."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["no reason was given"])[0]
