"""The listeners' loop gives signs of life like every worker."""

from __future__ import annotations

import threading
import time

from kktd.api.server import LATE_S
from tests.support.api import ApiBench


def test_a_loop_that_hangs_is_late_until_it_turns_again(bench: ApiBench) -> None:
    assert bench.server.on_time()
    entered, freed = threading.Event(), threading.Event()
    loop = bench.server._loop
    assert loop is not None
    loop.call_soon_threadsafe(entered.set)
    loop.call_soon_threadsafe(freed.wait)
    assert entered.wait(30)
    bench.server_clock.advance(LATE_S + 1)
    assert not bench.server.on_time()
    freed.set()
    end_s = time.monotonic() + 30
    while not bench.server.on_time():
        assert time.monotonic() < end_s
        time.sleep(0.05)
