"""All repositories of one call, side by side, until they are built or the user has enough."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import closing
from typing import Any, Final

from jupyterhub_imagebuilder.cli.job import Code, Job
from jupyterhub_imagebuilder.cli.options import Options
from jupyterhub_imagebuilder.cli.screen import Screen
from jupyterhub_imagebuilder.cli.service import Service
from jupyterhub_imagebuilder.clock import SystemClock

#: Repositories that are asked for and watched at once; how many are built is the service's affair.
_AT_ONCE: Final = 64
#: What is worse comes first: what nobody knows, what is broken, what was not to be.
_WORST: Final = (Code.UNREACHABLE, Code.FAILED, Code.REFUSED)


async def run(options: Options, *, fenced: bool) -> int:
    """Build everything; returns the exit code.

    :param fenced: whether GitHub's runner reads the output.
    """
    screen = Screen(
        sys.stderr if options.json else sys.stdout,
        sys.stderr,
        quiet=options.quiet,
        several=len(options.repositories) > 1,
        fenced=fenced,
    )
    clock = SystemClock()
    async with Service(options.url, options.token) as service:
        jobs = [
            Job(asked, service, screen, clock, options.patience) for asked in options.repositories
        ]
        with closing(screen):
            number = await _until_interrupted(_all(jobs, screen, options))
            if number is not None:
                await _leave(jobs, service, screen, cancel=options.cancel_on_interrupt)
    code = exit_code(jobs) if number is None else 128 + number
    if options.json:
        document = {"exit_code": code, "builds": [job.document() for job in jobs]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return code


def exit_code(jobs: Sequence[Job]) -> int:
    """That of several is that of the worst."""
    codes = {job.code for job in jobs}
    return next((int(code) for code in _WORST if code in codes), 0)


async def _all(jobs: Sequence[Job], screen: Screen, options: Options) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(job: Job) -> None:
        async with room:
            await job.run()
        _tell(job, screen, options)

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(one(job))


def _tell(job: Job, screen: Screen, options: Options) -> None:
    if job.code is not Code.BUILT:
        screen.say(f"{job.asked}: {job.message}")
    elif not options.quiet:
        screen.say(f"{job.asked}: {job.message}: {job.image}")
    elif not options.json:
        sys.stdout.write(f"{job.image}\n")
        sys.stdout.flush()


async def _until_interrupted(work: Coroutine[None, None, None]) -> int | None:
    """Do the work; the number of the signal that ended it, None where none did."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    interrupted: asyncio.Future[int] = loop.create_future()

    def interrupt(number: int) -> None:
        # the second one ends the process at once
        for each in signals:
            loop.remove_signal_handler(each)
        interrupted.set_result(number)

    for number in signals:
        loop.add_signal_handler(number, interrupt, number)
    task = asyncio.create_task(work)
    try:
        either: set[asyncio.Future[Any]] = {task, interrupted}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return None
        return interrupted.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _leave(jobs: Sequence[Job], service: Service, screen: Screen, *, cancel: bool) -> None:
    """Say what becomes of the builds that nobody watches any more."""
    under_way = [job for job in jobs if job.code is None and job.build_id is not None]
    if cancel:
        for job, said in zip(
            under_way, await asyncio.gather(*map(Job.cancel, under_way)), strict=True
        ):
            screen.say(f"{job.asked}: {said}")
        return
    for job in under_way:
        address = service.address(job.build_id or "")
        screen.say(f"{job.asked}: goes on without you; POST {address}/cancel would end it")
    if under_way:
        screen.say("The same command again goes on watching.")
