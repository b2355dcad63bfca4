"""Event loops with virtual time, and gates at which calls wait."""

from __future__ import annotations

import asyncio
import selectors

from jupyterhub_imagebuilder.errors import ImageBuilderError

#: Turns after which a loop that has something to do at once is taken for one that spins.
SPIN = 5_000
#: Seconds that a question may stay without an answer.
ANSWER_LIMIT = 10.0


class _Jumping(selectors.SelectSelector):
    """Where a loop would wait for a timer, its time jumps."""

    def __init__(self, loop: TurnLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        if timeout is None:
            raise AssertionError("everything waits for ever")
        if timeout > 0:
            self._loop.jump(timeout)
        return super().select(0)


class TurnLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time.

    A test runs single turns of it; or runs it like any other loop, and no time is waited for.
    """

    def __init__(self) -> None:
        self._virtual = 1_000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._virtual

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self._virtual += seconds

    def turn(self) -> None:
        """Run what is ready now, once."""
        self.call_soon(self.stop)
        self.run_forever()

    def settle(self) -> None:
        """Run turns until nothing is ready; no time passes."""
        for _ in range(SPIN):
            self.turn()
            if not self._ready:
                return
        raise AssertionError("the loop spins without time passing")

    def advance(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self._virtual + seconds
        self.settle()
        while (timers := [t for t in self._scheduled if not t.cancelled()]) and (
            due := min(timer.when() for timer in timers)
        ) <= end:
            self._virtual = max(self._virtual, due)
            self.settle()
        self._virtual = end


class LoopClock:
    """The running loop's virtual time, as the domain sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Gate:
    """Where calls wait: ``closed`` holds those that come, :meth:`let_go` frees one of them."""

    def __init__(self) -> None:
        self.closed = False
        self._held: list[asyncio.Future[None]] = []

    @property
    def held(self) -> list[asyncio.Future[None]]:
        self._held = [waiter for waiter in self._held if not waiter.done()]
        return self._held

    async def passed(self, why: type[ImageBuilderError]) -> None:
        if not self.closed:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._held.append(waiter)
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                await waiter
        except TimeoutError as error:
            raise why("No answer in time.") from error

    def let_go(self, which: int, error: ImageBuilderError | None = None) -> None:
        if not self.held:
            return
        waiter = self.held[which % len(self.held)]
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def open(self) -> None:
        self.closed = False
        while self.held:
            self.let_go(0)
