"""A bare Debian: a root of its packages, in a privileged container, with what a clone needs."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import docker

from tests.integration.demo.machine import STANDARD_PATH
from tests.integration.demo.sources import clone_into

CLONE = "/srv/clone"
#: What a newcomer needs to clone and to say ``make``.
INCLUDED = ("ca-certificates", "git", "make")
#: How this machine's network is reached: its authorities, and the tools that do not ask for them.
NETWORK = ("/usr/local/share/ca-certificates", "/etc/pip.conf", "/etc/npmrc")


#: What this module writes there, and adduser's lock; adduser's backups end with a hyphen.
OTHERS = ("/run/output-", "/run/adduser")


def debian(client: docker.DockerClient, suite: str, folder: Path, *more: str) -> str:
    """Import a bare Debian into an engine; the image's id.

    :param more: packages beside those that a clone needs.
    """
    root = folder / suite
    packages = ",".join((*INCLUDED, *more))
    words = ["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    for name in map(Path, NETWORK):
        target = root / name.relative_to("/")
        if name.is_dir():
            shutil.copytree(name, target, dirs_exist_ok=True)
        elif name.exists():
            shutil.copy2(name, target)
    subprocess.run(["chroot", str(root), "update-ca-certificates"], check=True, capture_output=True)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as packed:
        answer = client.api.import_image_from_stream(packed.stdout)
    shutil.rmtree(root)
    return answer.split('"status":"')[1].split('"')[0]


class Bare:
    """A container that stands for a fresh machine; it has the clone and nothing started.

    :param user: who runs ``make`` there; another than root may use sudo.
    """

    def __init__(self, client: docker.DockerClient, image: str, user: str = "root") -> None:
        self.user = user
        self._api = client.api
        made = self._api.create_container(
            image,
            ["sleep", "infinity"],
            name=f"ibt-bare-{secrets.token_hex(4)}",
            hostname="fresh",
            # a disk of its own: an engine in there cannot lay layers over layers
            volumes=[CLONE],
            host_config=_privileged(self._api),
        )
        self._container = client.containers.get(made["Id"])
        try:
            self._container.start()
            self._container.reload()
            self.pid = self._container.attrs["State"]["Pid"]
            for line in self.mounts():
                place, kind = line.split()[1:3]
                if kind in ("sysfs", "cgroup", "cgroup2"):
                    self.run("mount", "-o", "remount,bind,rw", place)
        except BaseException:
            self.remove()
            raise
        self.inside = ("nsenter", f"--target={self.pid}", "--net", "--")
        self._started: list[BareProcess] = []

    def remove(self) -> None:
        self._container.remove(force=True, v=True)

    def put_clone(self, folder: Path) -> None:
        """Put the project there, as its user's."""
        clone_into(folder)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, ".")
        self._container.put_archive(CLONE, packed.getvalue())
        self.run("chown", "-R", self.user, CLONE)

    def run(self, *words: str) -> str:
        """Run a command as root, to its end; what it prints."""
        code, printed = self._container.exec_run(list(words), environment={"LC_ALL": "C"})
        assert code == 0, printed.decode(errors="replace")
        return printed.decode()

    def start(self, *words: str, **variables: str) -> BareProcess:
        process = BareProcess(self, len(self._started), words, variables)
        self._started.append(process)
        return process

    def left(self) -> list[str]:
        titles = self._container.top()
        commands = [" ".join(row[-1].split()) for row in titles["Processes"] or []]
        kept = [each for each in commands if each != "sleep infinity" and "docker-init" not in each]
        return sorted(kept) + self._listening()

    def files(self) -> set[str]:
        """Every file that is not there to be changed by each run of anything."""
        ignored = ("/proc", "/sys", "/dev", "/var/cache", "/var/lib/apt", "/var/log", CLONE)
        words = ["find", "/", "-xdev"]
        for folder in ignored:
            words += ["-path", folder, "-prune", "-o"]
        found = self.run(*words, "-print").splitlines()
        return {path for path in found if not path.startswith(OTHERS) and path[-1] != "-"}

    def packages(self) -> list[str]:
        """Debian packages that are installed, and those of which settings are left."""
        return self.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n").splitlines()

    def network(self) -> list[str]:
        """Interfaces, and the packet filter's rules, as far as there are any."""
        links = self._ask("ip", "-brief", "link")
        rules = self._ask("iptables-save")  # which are the lines of this form, among others
        return [line.split()[0] for line in links] + [each for each in rules if each[:2] == "-A"]

    def mounts(self) -> list[str]:
        return sorted(Path(f"/proc/{self.pid}/mounts").read_text().splitlines())

    def _ask(self, *words: str) -> list[str]:
        command = [*self.inside, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    def _listening(self) -> list[str]:
        found = []
        for name in ("tcp", "tcp6"):
            lines = Path(f"/proc/{self.pid}/net/{name}").read_text().splitlines()[1:]
            rows = [line.split() for line in lines]
            found += [f"listening: {row[1]}" for row in rows if row[3] == "0A"]
        return sorted(found)

    def api(self) -> Any:
        return self._api

    @property
    def id(self) -> str:
        return self._container.id


def _privileged(api: docker.APIClient) -> dict[str, Any]:
    """What ``--privileged`` means, but for one capability, which not every root has to give."""
    config = api.create_host_config(
        init=True,
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
    )
    return {**config, "MaskedPaths": [], "ReadonlyPaths": []}


class BareProcess:
    """A program in the container; it is in a session of its own there."""

    def __init__(
        self, bare: Bare, number: int, words: tuple[str, ...], variables: dict[str, str]
    ) -> None:
        self._bare = bare
        self._log = f"/run/output-{number}"
        home = "/root" if bare.user == "root" else f"/home/{bare.user}"
        settings = {"HOME": home, "PATH": STANDARD_PATH, **variables}
        bare.run("install", "-o", bare.user, "/dev/null", self._log)
        pairs = [f"{name}={value}" for name, value in settings.items()]
        api = bare.api()
        self._id = api.exec_create(
            bare.id,
            # a log in a file, so that nobody has to read along
            ["env", "-i", *pairs, "sh", "-c", 'exec "$@" >"$0" 2>&1 </dev/null', self._log, *words],
            user=bare.user,
            workdir=CLONE,
        )["Id"]
        api.exec_start(self._id, detach=True)
        self.pid = self._inspect()["Pid"]

    def code(self) -> int | None:
        found = self._inspect()
        return None if found["Running"] else found["ExitCode"]

    def output(self) -> str:
        return self._bare.run("cat", self._log)

    def _inspect(self) -> dict[str, Any]:
        return self._bare.api().exec_inspect(self._id)
