"""The log of a build pod as the kubelet keeps it on the node, for those who are on that node."""

from __future__ import annotations

import json
from pathlib import Path

from jupyterhub_imagebuilder.executors.entrypoint import FIRST_LINE
from tests.integration.cluster.polling import until

FOLDER = Path("/var/log/pods")


def kept_lines(namespace: str, uid: str) -> list[str]:
    """The lines of a build that has ended, as a viewer has to see them.

    The file's format is the CRI's: ``<time> stdout F <text>``, with ``P`` for a part of a line.
    repo2docker puts its text into JSON, and several lines into one record.
    """
    text = ""
    for file in sorted(_container(namespace, uid).glob("*.log*")):
        for record in file.read_text(errors="replace").splitlines():
            _, _, flag, said = record.split(" ", 3)
            text += said + ("\n" if flag == "F" else "")
    lines = []
    for line in text.split("\n")[:-1]:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        message = said["message"] if isinstance(said, dict) and "message" in said else line
        message = message.rstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n")
        lines += message.split("\n")
    # the executor's own, for telling a log's beginning from a rotation
    return lines[1:] if lines[:1] == [FIRST_LINE] else lines


def _container(namespace: str, uid: str) -> Path:
    return until(
        lambda: next(FOLDER.glob(f"{namespace}_*_{uid}/builder"), None),
        what=f"the kubelet's log of pod {uid}",
        seconds=5,
    )
