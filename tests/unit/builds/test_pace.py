from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.builds.pace import Pace, in_words


def test_the_pace_is_that_of_the_time_in_which_somebody_waits():
    now = [1000.0]
    pace = Pace(lambda: now[0])
    pace.ended()
    assert pace.seconds() is None
    pace.waiting(3)
    assert pace.seconds() is None
    now[0] += 60
    pace.ended()
    pace.waiting(2)
    assert pace.seconds() == 60.0
    now[0] += 120
    assert pace.seconds() == 180.0
    pace.ended()
    assert pace.seconds() == 90.0
    pace.waiting(0)
    assert pace.seconds() is None
    pace.waiting(1)
    assert pace.seconds() is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "10 seconds"),
        (25, "30 seconds"),
        (60, "60 seconds"),
        (61, "2 minutes"),
        (120, "2 minutes"),
        (121, "3 minutes"),
    ],
)
def test_a_time_in_words(seconds, words):
    assert in_words(seconds) == words
