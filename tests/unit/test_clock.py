from __future__ import annotations

import time

from jupyterhub_imagebuilder.clock import SystemClock


async def test_system_clock():
    clock = SystemClock()
    before = time.time()
    await clock.sleep(0)
    assert before <= clock.now() <= time.time()
