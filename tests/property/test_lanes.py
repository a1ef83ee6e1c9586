"""Two printers at one box against everything that can happen to them.

Whatever befalls one of them: a till whose printer is well prints its sale at once, and in the end
each receipt is in the FN of its own till exactly once, in the store and at the ОФД.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from kktd.errors import KktdError
from kktd.model.device import FIRST_PRINTER
from kktd.model.receipt import Receipt
from kktd.model.states import IN_FN, FiscalState
from kktd.store import lanes
from kktd.store.connection import Db
from kktd.store.lanes import LaneCount
from kktd.store.operations import OperationKind
from tests.support.receipts import a_line, a_receipt
from tests.support.shop import Shop

TILLS: Final = st.integers(0, 1)
PAPER_S: Final = 7.0
TROUBLES: Final = st.one_of(
    st.just(("unplug", None, {})),
    st.just(("paper_out", None, {})),
    st.just(("fn_full", None, {})),
    st.just(("lose_reply", None, {"command": "close_receipt"})),
    st.just(("lose_reply", None, {"command": "find_document"})),
    st.builds(
        lambda command, when: ("power_cut", 1, {"command": command, "when": when}),
        st.sampled_from(["close_receipt", "open_receipt", "z_report"]),
        st.sampled_from(["before", "after"]),
    ),
    st.builds(
        lambda sent, way: ("cut_after", 1, {"bytes": sent, "direction": way}),
        st.integers(0, 700),
        st.sampled_from(["to_device", "to_host"]),
    ),
)


class Box(RuleBasedStateMachine):
    """A till box with two tills."""

    @initialize()
    def open_the_shop(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.shop = Shop(self.folder, printers=2)
        self.shop.run(5)
        self.sold: tuple[list[Receipt], list[Receipt]] = ([], [])
        self.troubled: set[int] = set()

    @rule(till=TILLS, kopecks=st.integers(1, 99_999_99))
    def sell(self, till: int, kopecks: int) -> None:
        receipt = replace(a_receipt(a_line(kopecks)), pos_id=self.shop.pos_ids[till])
        self.sold[till].append(receipt)
        if till in self.troubled:
            with suppress(KktdError):
                self.shop.sell(receipt)
            return
        began_s = self.shop.clock.monotonic_s()
        answer = self.shop.sell(receipt)
        assert answer.status == 200, (answer, self.troubled)
        assert answer.body["status"] == "printed"
        assert self.shop.clock.monotonic_s() - began_s <= PAPER_S

    @rule(till=TILLS, trouble=TROUBLES)
    def break_printer(self, till: int, trouble: tuple[str, int | None, dict[str, Any]]) -> None:
        name, times, how = trouble
        self.troubled.add(till)
        self.shop.boards[till].add("printer", name, times, **how)

    @rule(till=TILLS)
    def mend(self, till: int) -> None:
        self.shop.boards[till].clear("printer")
        self.shop.registrars[till].plug()
        self.shop.registrars[till].insert_paper()
        if till in self.troubled:
            self.shop.run(180)
            self.troubled.remove(till)
            with suppress(KktdError):  # what fn_full said is known until a document is made
                self.shop.operate(OperationKind.Z_REPORT, self.shop.pos_ids[till])
            if self.shop.parts.lanes.of(self.shop.pos_ids[till]).health.fn_ended:
                self.troubled.add(till)

    @rule(till=TILLS)
    def close_shift(self, till: int) -> None:
        with suppress(KktdError):
            answer = self.shop.operate(OperationKind.Z_REPORT, self.shop.pos_ids[till])
            assert till in self.troubled or answer.code in (None, "SHIFT_CLOSED")

    @rule(outage=st.sampled_from([None, "refused", "hang"]))
    def change_network(self, outage: str | None) -> None:
        self.shop.ofd.outage = outage

    @rule(seconds=st.sampled_from([1, 20, 100]))
    def wait(self, seconds: int) -> None:
        self.shop.run(seconds)

    @rule()
    def kill(self) -> None:
        self.shop.restart()
        self.shop.run(5)

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        try:
            self.shop.ofd.outage = None
            for till in (0, 1):
                self.mend(till)
            self.shop.run(700)
            for till in (0, 1):
                self._check(till)
        finally:
            self.shop.close()
            shutil.rmtree(self.folder)

    def _check(self, till: int) -> None:
        """FN, store and ОФД of one till."""
        fn = str(self.shop.registrars[till].fn_status()["fn"])
        documents = []
        for receipt in self.sold[till]:
            try:
                stored = self.shop.stored(receipt.id)
            except KktdError:
                continue  # refused at the desk: nothing was stored
            assert stored.state not in (FiscalState.PRINTING, FiscalState.IN_DOUBT)
            if stored.state in IN_FN:
                assert stored.document is not None
                assert stored.document.fn == fn, "in the FN of the other till"
                documents.append(stored.document.fd)
        assert len(set(documents)) == len(documents)
        assert sorted(documents) == [one["fd"] for one in self.shop.fn_receipts(till)]
        assert self.shop.ofd.documents_of(fn) == sorted(documents)


FEW: Final = settings(
    max_examples=10, stateful_step_count=12, suppress_health_check=[HealthCheck.too_slow]
)


def test_trouble_at_one_printer_never_disturbs_the_other() -> None:
    run_state_machine_as_test(Box, settings=FEW)


def test_a_desk_that_counts_for_both_printers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: doubt and waiting receipts of the one refuse the other."""
    count = lanes.count

    def of_both(db: Db, printer: str) -> LaneCount:
        mine = count(db, printer)
        other = count(db, "n2" if printer == FIRST_PRINTER else FIRST_PRINTER)
        return LaneCount(mine.queued, mine.waiting + other.waiting, mine.in_doubt + other.in_doubt)

    monkeypatch.setattr(lanes, "count", of_both)
    folder = Path(tempfile.mkdtemp())
    shop = Shop(folder, printers=2)
    shop.run(5)
    for till in (0, 1):
        shop.sell(replace(a_receipt(), pos_id=shop.pos_ids[till]))
    for question in ("close_receipt", "find_document", "read_document"):
        shop.faults.add("printer", "lose_reply", command=question)
    shop.sell(a_receipt())
    with pytest.raises(KktdError):
        shop.operate(OperationKind.Z_REPORT, shop.pos_ids[1])
    shop.close()
    shutil.rmtree(folder)
