"""The command as a process: its words, its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from jupyterhub_imagebuilder.cli.options import UsageError, exposed, read

_PROGRAM: Final = "jupyterhub-imagebuilder build"
_USAGE: Final = 2


def main(argv: Sequence[str]) -> int:
    """Run ``jupyterhub-imagebuilder build``.

    :param argv: the words behind ``build``.
    :return: the exit code.
    """
    try:
        options = read(argv, os.environ)
    except UsageError as error:
        sys.stderr.write(f"{_PROGRAM}: {error}\n")
        return _USAGE
    if exposed(options.url):
        sys.stderr.write(f"{_PROGRAM}: the token goes over the network in plain text: use https.\n")
    # here, so that --help and a wrong word are answered before a client is imported
    from jupyterhub_imagebuilder.cli.run import run

    try:
        return asyncio.run(run(options, fenced=os.environ.get("GITHUB_ACTIONS") == "true"))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (BrokenPipeError, ExceptionGroup) as error:
        if isinstance(error, ExceptionGroup) and error.split(BrokenPipeError)[1] is not None:
            raise
        # nobody reads any more; the interpreter would complain once more as it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
