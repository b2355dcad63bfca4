"""``python3 -m tools.demo.check``: say what is missing, before anything has been made.

Exit code: 0 when the demo can have a container engine, 1 when not.
"""

from __future__ import annotations

import sys

from tools.demo import engine
from tools.demo.state import State, default_folder, say


def main() -> int:
    """Look, change nothing."""
    reason = engine.possible(State(default_folder()))
    if reason is not None:
        say(reason)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main())
