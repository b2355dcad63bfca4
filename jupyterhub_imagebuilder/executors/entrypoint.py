"""What runs inside the build pod: wait for the engine, run repo2docker, keep its last words.

The source of this file is the pod's command (``python3 -c``), so that any image with repo2docker
in it can build.  Standard library only, Python 3.9 and later.  Arguments are repo2docker's own; the
first can be ``--content-provider=<name>``, for what is not git's, ``--fetch=refs/…``, for a
commit that is in none of git's branches and tags, and ``--fetched=<folder>``, for a repository
that is there already (see ``fetcher.py``).

Environment: ``DOCKER_HOST`` (``unix://…``), ``IMAGEBUILDER_ENGINE_WAIT`` (seconds),
``IMAGEBUILDER_LINGER`` (seconds), ``IMAGEBUILDER_TERMINATION_LOG`` (a path),
``IMAGEBUILDER_DEADLINE`` (seconds that repo2docker may take; none: for ever),
``IMAGEBUILDER_LOG_LIMIT`` (bytes of its output that are passed on; none: all).
Exit code: repo2docker's own, 69 where the engine does not answer, 124 where the deadline passed.
"""

from __future__ import annotations

import collections
import json
import os
import select
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: EX_UNAVAILABLE of sysexits.h; the executor knows it as "engine-unavailable".
ENGINE_UNAVAILABLE = 69
#: As ``timeout`` of coreutils; the executor knows it as "timeout".
TIMED_OUT = 124
#: Seconds between the wish that repo2docker ends and its end by force.
_GRACE = 5.0
#: Kubernetes keeps 4096 bytes of a container's termination message.
MESSAGE_LIMIT = 4000
#: The first line of each log.  Who reads a log from its beginning and does not find it there knows
#: that the node has moved lines away already.
FIRST_LINE = "imagebuilder: the log of this build begins here"
#: Stands where the log was cut; the last words come behind it.
CUT = "imagebuilder: this log is too long, what follows is left out"
#: The start of the argument that names the content provider, and what it is without one.
CONTENT_PROVIDER = "--content-provider="
GIT = "Git"
#: The start of the argument that names a ref outside of branches and tags.
FETCH = "--fetch="
#: The start of the argument that names the folder with the copy of a private repository.
FETCHED = "--fetched="
#: No link of a repository may lead to what is this container's own: repo2docker quotes what it
#: reads, and the credentials for the registry would stand in the log.
_CLOSED = """\
import os
from repo2docker import contentproviders


def foreign(root):
    for folder, folders, files in os.walk(root):
        for path in (os.path.join(folder, name) for name in folders + files):
            if os.path.islink(path):
                target = os.path.realpath(path)
                # programs are no secret; many have an environment of Python's in their repository
                if (target + "/").startswith((root + "/", "/usr/")):
                    continue
                # what a process says of itself may be there at another time
                if os.path.exists(target) or target.startswith("/proc/"):
                    yield os.path.relpath(path, root)


def closed(base):
    class Closed(base):
        def fetch(self, spec, output_dir, yield_output=False):
            yield from super().fetch(spec, output_dir, yield_output=yield_output)
            for path in foreign(os.path.realpath(output_dir)):
                raise ValueError(
                    f"{path!r} is a link to a file outside of the repository, which is not allowed."
                )

    Closed.__name__ = base.__name__  # repo2docker says which one it picked
    return Closed


"""
#: One content provider alone: others ask servers of their own before it is its turn.
_PLAIN = """\
c.Repo2Docker.content_providers = [closed(contentproviders.{name})]
"""
#: Archives that name what they fetch by the same id as the ref: another one is not what was asked.
_PINNED = """\
class {name}(contentproviders.{name}):
    def detect(self, source, ref=None, extra_args=None):
        found = super().detect(source, ref=ref, extra_args=extra_args)
        if found is None:
            raise ValueError("The archive does not know this dataset any more.")
        # an activity of CKAN is one state of a dataset, whatever its newest is
        if not found.get("activity_id") and self.content_id != ref:
            raise ValueError(
                "The dataset is not what it was when it was chosen, and its archive keeps no "
                "earlier state: choose it again."
            )
        return found


c.Repo2Docker.content_providers = [closed({name})]
"""
#: The host is known already, which repo2docker would look up in a list that it fetches from
#: elsewhere; and repo2docker takes the newest version, whichever was asked for.
_DATAVERSE = """\
from urllib.parse import urlsplit


class Dataverse(contentproviders.Dataverse):
    if hasattr(contentproviders.Dataverse, "get_datafiles"):

        def detect(self, source, ref=None, extra_args=None):
            self.version = ref.lstrip("v")
            return self.doi2url(source)

        def get_datafiles(self, url):
            root = urlsplit(url)._replace(path="", query="", fragment="").geturl()
            name, unsure = self.parse_dataverse_url(url)
            answer = self.ask(root, name)
            if answer.status_code == 404 and unsure:
                name = self.get_dataset_id_from_file_id(root, name)
                answer = self.ask(root, name)
            answer.raise_for_status()
            self.persistent_id = name
            return answer.json()["data"]["files"]

        def ask(self, root, name):
            url = f"{{root}}/api/datasets/:persistentId/versions/{{self.version}}"
            return self._request(url, params={{"persistentId": name}})


c.Repo2Docker.content_providers = [closed(Dataverse)]
"""
#: repo2docker would ask the server once more, and hide what it says.
_MERCURIAL = """\
class Mercurial(contentproviders.Mercurial):
    def detect(self, source, ref=None, extra_args=None):
        return {{"repo": source, "ref": ref}}


c.Repo2Docker.content_providers = [closed(Mercurial)]
"""
_CONFIGS = {
    "CKAN": _PINNED,
    "Dataverse": _DATAVERSE,
    "Figshare": _PINNED,
    "Git": _PLAIN,
    "Hydroshare": _PINNED,
    "Mercurial": _MERCURIAL,
    "Swhid": _PLAIN,
    "Zenodo": _PINNED,
}


def configuration(name: str) -> str:
    """repo2docker's configuration for one content provider; KeyError where it is none of them."""
    return _CLOSED + _CONFIGS[name].format(name=name)


def fetching(ref: str) -> dict[str, str]:
    """Environment in which ``git clone`` fetches a ref that it would leave out.

    The ``*`` is for submodules, which have no such ref: a pattern may match nothing.
    """
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "remote.origin.fetch",
        f"GIT_CONFIG_VALUE_{count}": f"+{ref}*:refs/remotes/origin/{ref[len('refs/') :]}*",
    }


def instead(folder: Path, address: str) -> str:
    """Configuration of git that takes a copy for a repository, under the repository's own name.

    A setting holds for all addresses that begin alike: the longer ones, each as it is, win.
    """
    lines = [f'[url "{folder}/repository"]', f'\tinsteadOf = "{address}"']
    for following in f"{string.ascii_letters}{string.digits}-._~%/":
        lines += [f'[url "{address}{following}"]', f'\tinsteadOf = "{address}{following}"']
    return "\n".join(lines) + "\n"


def including(config: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment in which git reads one more file of configuration."""
    count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": "include.path",
        f"GIT_CONFIG_VALUE_{count}": str(config),
    }


def fetched(folder: Path) -> bytes:
    """Tell what was said when a repository was fetched; what was wrong, or nothing."""
    for line in (folder / "log").read_bytes().splitlines():
        write_all(json.dumps(_fetching(line)).encode() + b"\n")
    error = folder / "error"
    if not error.exists():
        return b""
    words = error.read_bytes()
    write_all(words + b"\n")
    return words


def _fetching(line: bytes) -> dict[str, str]:
    return {"message": line.decode(errors="replace"), "phase": "fetching"}


def wait_for_engine(address: str, seconds: float) -> bool:
    """Wait until the engine answers on its socket; False when it never does."""
    path = address[len("unix://") :]
    deadline = time.monotonic() + seconds
    while True:
        if answers(path):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(min(0.2, max(0.0, seconds)))


def answers(path: str) -> bool:
    """Whether an engine is ready; one that starts takes connections long before."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(path)
            probe.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            return probe.recv(64).split(b" ")[1:2] == [b"200"]
        except OSError:
            return False


def last_words(lines: collections.deque[bytes]) -> bytes:
    """The end of the log as plain text, without tracebacks: it has to fit the limit."""
    kept: list[bytes] = []
    room = MESSAGE_LIMIT
    for line in reversed(lines):
        text = line
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            text = record["message"].encode()
        text = text.strip(b"\r\n")
        if not text.strip():
            continue
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return b"\n".join(reversed(kept))


def write_all(data: bytes) -> None:
    """Pass output on at once, unbuffered."""
    while data:
        data = data[os.write(1, data) :]


class Log:
    """Standard output, for so many bytes.

    :param room: about so many; what is begun is ended.
    """

    def __init__(self, room: float) -> None:
        self._room = room

    def write(self, data: bytes) -> None:
        """Pass output on while there is room."""
        if self._room > 0:
            write_all(data)
            self._room -= len(data)
            if self._room <= 0:
                write_all(f"\n{CUT}\n".encode())

    def end(self, words: bytes) -> None:
        """Say the last words, where they were left out."""
        if self._room <= 0:
            write_all(words + b"\n")


def pump(
    process: subprocess.Popen[bytes],
    lines: collections.deque[bytes],
    log: Log,
    limit: float = float("inf"),
) -> bool:
    """Pass the output on until it ends, and keep the last lines; False where time ran out.

    Whatever the command left running may hold the pipe open: two quiet seconds after the
    command's own end are the end.

    :param limit: seconds until the command is ended.
    """
    end, in_time = time.monotonic() + limit, True
    pipe = process.stdout.fileno()  # type: ignore[union-attr]
    rest = b""
    while True:
        if time.monotonic() >= end:
            if not in_time:
                break
            process.terminate()
            in_time, end = False, time.monotonic() + _GRACE
        patience = min(2.0, max(0.0, end - time.monotonic()))
        if not select.select([pipe], [], [], patience)[0]:
            if process.poll() is not None:
                break
            continue
        chunk = os.read(pipe, 65536)
        if not chunk:
            break
        log.write(chunk)
        *complete, rest = (rest + chunk).split(b"\n")
        lines.extend(complete)
    if rest:
        lines.append(rest)
    return in_time


def run(arguments: list[str]) -> tuple[int, bytes]:
    """Run repo2docker; its exit code and its last words.

    Both of its streams go into one: the lines of two streams would reach a reader out of order.
    """
    name, environment, copy = GIT, dict(os.environ), ""
    while arguments and arguments[0].startswith((CONTENT_PROVIDER, FETCH, FETCHED)):
        option, _, value = arguments[0].partition("=")
        arguments = arguments[1:]
        if f"{option}=" == CONTENT_PROVIDER:
            name = value
        elif f"{option}=" == FETCH:
            environment.update(fetching(value))
        else:
            copy = value
    if copy and (error := fetched(Path(copy))):
        return 1, error
    with tempfile.TemporaryDirectory() as folder:
        if copy:
            place = Path(folder, "gitconfig")
            place.write_text(instead(Path(copy), arguments[-1]), encoding="utf-8")
            environment.update(including(place, environment))
        config = Path(folder, "imagebuilder_config.py")
        config.write_text(configuration(name), encoding="utf-8")
        process = subprocess.Popen(  # noqa: S603 -- a list of arguments, no shell
            ["jupyter-repo2docker", "--config", str(config), *arguments],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        signal.signal(signal.SIGTERM, lambda signum, _: process.send_signal(signum))
        lines: collections.deque[bytes] = collections.deque(maxlen=200)
        limit = float(os.environ.get("IMAGEBUILDER_DEADLINE") or "inf")
        log = Log(float(os.environ.get("IMAGEBUILDER_LOG_LIMIT") or "inf"))
        in_time = pump(process, lines, log, limit)
        if not in_time:
            process.kill()
        code = process.wait()
    words = last_words(lines)
    log.end(words)
    if not in_time:
        return TIMED_OUT, words
    return (code if code >= 0 else 128 - code), words


def main() -> int:
    """Say hello, wait, run, leave the last words where the kubelet looks for them."""
    write_all(f"{FIRST_LINE}\n".encode())
    address = os.environ.get("DOCKER_HOST", "")
    wait = float(os.environ.get("IMAGEBUILDER_ENGINE_WAIT", "60"))
    if address.startswith("unix://") and not wait_for_engine(address, wait):
        code = ENGINE_UNAVAILABLE
        words = b"The container engine of this node did not answer within %d seconds." % wait
        write_all(words + b"\n")
    else:
        code, words = run(sys.argv[1:])
    if code:
        try:
            path = os.environ.get("IMAGEBUILDER_TERMINATION_LOG", "/dev/termination-log")
            Path(path).write_bytes(words)
        except OSError as error:
            write_all(f"The last words could not be kept: {error}\n".encode())
    # a container that exits at once can lose its last burst of log
    time.sleep(float(os.environ.get("IMAGEBUILDER_LINGER", "1")))
    return code


if __name__ == "__main__":
    sys.exit(main())
