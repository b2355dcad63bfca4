from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet(caplog):
    """What the services log about failures that are made on purpose is of no interest."""
    caplog.set_level(logging.CRITICAL)
