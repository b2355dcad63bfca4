from __future__ import annotations

import pytest

from jupyterhub_imagebuilder.executors.logs import Position, Record
from jupyterhub_imagebuilder.executors.marks import Mark, read_mark

UID = "0b1c2d3e-0000-4000-8000-000000000001"
PLACE = Position().after(Record("2026-01-01T00:00:01.5Z", "Grüße")).after(Record("0", "x"))


@pytest.mark.parametrize(
    "mark",
    [
        Mark(UID, 7, position=PLACE),
        Mark(UID, 3_000_001, pushing=True, push_step="#12", position=PLACE),
        Mark(UID, 7, pushing=True, push_step="docker", position=PLACE),
    ],
)
def test_a_mark_is_text_and_back(mark):
    text = mark.encode()

    assert read_mark(text, UID) == mark
    assert len(text) < 250
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "nonsense",
        Mark("other", 7, position=PLACE).encode(),
        Mark(UID).encode(),
        Mark(UID, 7, position=PLACE).encode().replace("1 ", "2 ", 1),
        Mark(UID, 7, position=PLACE).encode() + " more",
        Mark(UID, 7, position=PLACE).encode().replace(" 7 ", " x "),
    ],
)
def test_what_is_no_mark_of_this_pod_is_the_beginning(text):
    assert read_mark(text, UID) == Mark(UID)
