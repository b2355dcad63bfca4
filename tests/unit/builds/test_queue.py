from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_imagebuilder.builds.model import Owner
from jupyterhub_imagebuilder.builds.queue import BuildQueue, QueueLimits
from jupyterhub_imagebuilder.errors import QuotaExceeded
from tests.unit.builds.records import request


class Waiting:
    """A queue, and what it told whom."""

    def __init__(self, **limits):
        self.queue = BuildQueue(QueueLimits(**limits))
        self.told = {}
        self.places = {}

    def enter(self, name, user="alice", repository="https://git.example.org/org/repo"):
        said = self.told[name] = []
        wanted = request(owner=Owner(user), repository=f"{repository}/{name}")
        self.places[name] = self.queue.enter(wanted, said.append)

    def leave(self, name):
        self.queue.leave(self.places.pop(name))

    @property
    def running(self):
        return {name for name, place in self.places.items() if place.turn.is_set()}


def test_without_limits_nobody_waits():
    waiting = Waiting()
    for number in range(100):
        waiting.enter(str(number))
    assert len(waiting.running) == 100
    assert not any(waiting.told.values())


def test_what_is_over_makes_room_in_the_order_of_asking():
    waiting = Waiting(running=2)
    for name in "abcd":
        waiting.enter(name)
    assert waiting.running == {"a", "b"}
    waiting.leave("b")
    assert waiting.running == {"a", "c"}
    waiting.leave("a")
    assert waiting.running == {"c", "d"}
    assert waiting.told["d"] == [
        "Waiting in the queue, at position 2.",
        "Waiting in the queue, at position 1.",
    ]


def test_one_users_fifty_do_not_delay_anothers_first():
    waiting = Waiting(running=1)
    for number in range(50):
        waiting.enter(f"a{number}", "alice")
    waiting.enter("b", "bob")
    assert waiting.told["b"] == ["Waiting in the queue, at position 2."]
    waiting.leave("a0")
    assert waiting.running == {"a1"}  # alice had waited for longer
    waiting.leave("a1")
    assert waiting.running == {"b"}


def test_a_user_has_a_limit_that_holds_up_nobody_else():
    waiting = Waiting(running=10, per_user=1)
    waiting.enter("a", "alice")
    waiting.enter("a2", "alice")
    waiting.enter("b", "bob")
    assert waiting.running == {"a", "b"}
    assert waiting.told["a2"] == ["As many builds of yours run as may (1); this one comes next."]


def test_a_repository_has_a_limit_that_holds_up_nothing_else():
    waiting = Waiting(per_repository=1)
    for owner in ("alice", "bob"):
        place = waiting.queue.enter(request(owner=Owner(owner)), print)
        waiting.places[owner] = place
    waiting.enter("other", "bob")
    assert waiting.running == {"alice", "other"}
    waiting.leave("alice")
    assert waiting.running == {"bob", "other"}


def test_the_queue_has_a_limit_with_its_reason():
    waiting = Waiting(running=1, waiting=2)
    for name in "abc":
        waiting.queue.check_room()
        waiting.enter(name)
    with pytest.raises(QuotaExceeded, match="2 builds are waiting already"):
        waiting.queue.check_room()
    waiting.leave("b")
    assert waiting.queue.check_room() is None


def test_a_full_queue_says_how_soon_there_is_room():
    now = [1000.0]
    queue = BuildQueue(QueueLimits(running=1, waiting=2), lambda: now[0])
    places = [queue.enter(request(owner=Owner(name)), print) for name in "abc"]
    with pytest.raises(QuotaExceeded, match="when one of those that run is over") as caught:
        queue.check_room()
    assert caught.value.retry_after is None
    now[0] += 95
    queue.leave(places[0])
    queue.enter(request(owner=Owner("d")), print)
    with pytest.raises(QuotaExceeded, match="room for one more in about 2 minutes") as caught:
        queue.check_room()
    assert caught.value.retry_after == 95.0


def test_what_runs_already_counts_whatever_the_limit():
    waiting = Waiting(running=1)
    found = [waiting.queue.occupy(request()) for _ in range(3)]
    waiting.enter("a")
    for place in found:
        assert waiting.running == set()
        waiting.queue.leave(place)
    assert waiting.running == {"a"}


def test_who_is_far_behind_is_not_told_every_step():
    waiting = Waiting(running=1)
    for number in range(101):
        waiting.enter(str(number))
    for number in range(50):
        waiting.leave(str(number))
    assert waiting.told["100"][0] == "Waiting in the queue, at position about 100."
    assert len(waiting.told["100"]) == 6


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(0, 2),
)
def test_limits_hold_and_nobody_starves(steps, running, per_user):
    """Enter and leave in any order; then everyone gets a turn as the others leave."""
    waiting = Waiting(running=running, per_user=per_user)
    owners = {}
    for number, (user, choice, entering) in enumerate(steps):
        if entering or not waiting.places:
            owners[str(number)] = user
            waiting.enter(str(number), f"user{user}")
        else:
            waiting.leave(sorted(waiting.places)[choice % len(waiting.places)])
        on = waiting.running
        assert len(on) <= running
        assert not per_user or all(
            sum(owners[name] == user for name in on) <= per_user for user in range(5)
        )
        # no slot stays empty that somebody could take
        if len(on) < min(running, len(waiting.places)):
            held = [owners[name] for name in waiting.places if name not in on]
            assert per_user
            assert all(sum(owners[n] == user for n in on) >= per_user for user in held)
    while waiting.places:
        assert waiting.running
        waiting.leave(min(waiting.running))
