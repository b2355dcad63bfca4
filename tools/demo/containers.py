"""What the hub of the demo runs in the engine: servers of users, and builds.

Python's own library alone: what removes the demo needs this, too.
"""

from __future__ import annotations

from tools.demo.api import Api

#: How the names of the servers' containers begin, and what is in the label of the builds' ones and
#: of their images: an engine of somebody else's has other hubs' things, too.
OWNER = "imagebuilder-demo"
#: ``INSTANCE`` of the Docker executor.
LABEL = "imagebuilder.jupyterhub.org/instance"


class Containers:
    """The containers of ours in one engine.

    :param host: the engine, as ``$DOCKER_HOST``.
    """

    def __init__(self, host: str) -> None:
        self._api = Api(host)

    def engine_answers(self) -> bool:
        """Whether the engine is there."""
        return self._api.answers()

    def remove(self) -> int:
        """Remove all of them at once, running or not; how many there were.

        Homes are volumes, and stay.

        :raises EngineError: the engine does not answer.
        """
        found = self.found()
        for each in found:
            # another may be removing it at this moment
            self._api.delete(f"/containers/{each}", force=True, v=True)
        return len(found)

    def found(self) -> set[str]:
        """Their ids.

        :raises EngineError: the engine does not answer.
        """
        wanted = {"label": [f"{LABEL}={OWNER}"]}, {"name": [f"^/{OWNER}-"]}
        return {
            str(each["Id"])
            for filters in wanted
            for each in self._api.get("/containers/json", all=True, filters=filters)
        }
