"""One key, one receipt: at once, later, after a restart, with another body."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable

import pytest

from kktd.store.tokens import Role
from tests.support.api import SALE, ApiBench, Reply, item, sale


def _together(*calls: Callable[[], Reply]) -> list[Reply]:
    replies: dict[int, Reply] = {}
    threads = [
        threading.Thread(target=lambda i=i, call=call: replies.__setitem__(i, call()))
        for i, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return [replies[i] for i in range(len(calls))]


def _documents(bench: ApiBench) -> int:
    assert bench.till is not None
    return len(bench.till.fn_receipts())


def test_a_repeat_gets_the_stored_answer_and_no_second_document(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    before = _documents(bench)
    first, again = bench.sell(key=key), bench.sell(key=key)
    assert first.status == again.status == 200
    assert again.raw == first.raw
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert _documents(bench) == before + 1


def test_the_key_is_the_same_in_any_case_and_in_quotes(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    first = bench.sell(key=key)
    for form in (key.upper(), f'"{key}"', f"  {key} "):
        assert bench.sell(key=form).raw == first.raw


def test_another_body_under_the_same_key_is_refused(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    assert bench.sell(key=key).status == 200
    before = bench.stored_receipts()
    other = bench.sell(
        sale(items=[item(qty=1)], payments=[{"method": "card", "amount": 99.5}]), key=key
    )
    assert (other.status, other.code) == (422, "KEY_REUSED")
    assert bench.stored_receipts() == before


def test_the_same_key_after_a_restart_replays(own_bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    first = own_bench.sell(key=key)
    own_bench.restart()
    again = own_bench.sell(key=key)
    assert (again.status, again.raw) == (200, first.raw)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert _documents(own_bench) == 1


def test_one_follower_waits_and_the_third_is_told(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    bench.token(Role.CASHIER)
    before = _documents(bench)
    with bench.paused():
        replies: list[Reply] = []
        threads = [
            threading.Thread(target=lambda: replies.append(bench.sell(key=key))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        third = bench.sell(key=key)
        assert (third.status, third.code) == (409, "IN_PROGRESS")
        assert third.headers["Retry-After"] == "2"
    for thread in threads:
        thread.join(20)
    assert [one.status for one in replies] == [200, 200]
    assert replies[0].body["receipt_id"] == replies[1].body["receipt_id"]
    assert _documents(bench) == before + 1


def test_many_at_once_make_one_document(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    bench.token(Role.CASHIER)
    before = _documents(bench)
    replies = _together(*[lambda: bench.sell(key=key)] * 12)
    assert {one.status for one in replies} <= {200, 409}
    assert {one.code for one in replies if one.status == 409} <= {"IN_PROGRESS"}
    assert any(one.status == 200 for one in replies)
    assert _documents(bench) == before + 1


def test_a_sale_the_printer_has_not_answered_is_202_with_its_place(bench: ApiBench) -> None:
    key = str(uuid.uuid4())
    with bench.paused():
        waiting = bench.sell(key=key)
        assert waiting.status == 202
        assert waiting.body["status"] == "buffered"
        assert waiting.body["print_state"] in ("accepted", "printing")
        assert waiting.body["fiscal_doc"] is None
        assert "Не пробивайте повторно" in waiting.body["message"]
        assert waiting.headers["Location"] == f"/v1/kkt/receipt/{waiting.body['receipt_id']}"
        assert int(waiting.headers["Retry-After"]) > 0
    printed = bench.sell(key=key)
    assert printed.status == 200
    assert printed.body["receipt_id"] == waiting.body["receipt_id"]


def test_cancel_is_replayed_and_too_late_afterwards(bench: ApiBench) -> None:
    token, cancel_key = bench.token(Role.CASHIER), str(uuid.uuid4())
    with bench.paused():
        bench.sell()  # the lane is about to print this one; the next waits behind it
        path = bench.sell().headers["Location"] + "/cancel"
        first = bench.lan("POST", path, None, token=token, key=cancel_key)
        again = bench.lan("POST", path, None, token=token, key=cancel_key)
    assert (first.status, first.body["print_state"]) == (200, "cancelled")
    assert again.raw == first.raw
    assert again.headers["Idempotency-Replayed"] == "true"
    sold = bench.sell().body["receipt_id"]
    late = bench.lan(
        "POST", f"/v1/kkt/receipt/{sold}/cancel", None, token=token, key=str(uuid.uuid4())
    )
    assert (late.status, late.code) == (409, "TOO_LATE")
    wrong = bench.lan("POST", f"/v1/kkt/receipt/{sold}/cancel", None, token=token, key=cancel_key)
    assert (wrong.status, wrong.code) == (422, "KEY_REUSED")


def test_printing_again_is_a_copy_and_its_repeat_is_replayed(bench: ApiBench) -> None:
    token, key = bench.token(Role.CASHIER), str(uuid.uuid4())
    sold = bench.sell().body["receipt_id"]
    before = _documents(bench)
    path = f"/v1/kkt/receipt/{sold}/print"
    copied = bench.lan("POST", path, {}, token=token, key=key)
    again = bench.lan("POST", path, {}, token=token, key=key)
    assert copied.status == 200, copied.body
    assert again.raw == copied.raw
    assert _documents(bench) == before


def test_a_manual_sync_is_started_once_for_one_key(bench: ApiBench) -> None:
    token, key = bench.token(Role.SUPERVISOR), str(uuid.uuid4())
    bench.delivery.asked.clear()
    path = "/v1/kkt/buffer/sync?force=true"
    first = bench.lan("POST", path, None, token=token, key=key)
    again = bench.lan("POST", path, None, token=token, key=key)
    assert first.status == again.status == 202
    assert first.raw == again.raw
    assert set(first.body) == {"job_id", "estimated_duration_seconds"}
    assert bench.delivery.asked == [(True, "test supervisor")]
    asked_in_body = bench.lan(
        "POST", "/v1/kkt/buffer/sync", {"force": True}, token=token, key=str(uuid.uuid4())
    )
    assert asked_in_body.status == 202
    assert bench.delivery.asked[-1][0] is True


@pytest.mark.parametrize(
    "path",
    [
        "/v1/kkt/shift/open",
        "/v1/kkt/z_report",
        "/v1/kkt/buffer/sync",
        "/v1/kkt/circuit_breaker/reset",
        "/v1/kkt/receipt/x/cancel",
        "/v1/kkt/receipt/x/print",
    ],
)
def test_every_call_that_changes_something_wants_a_key(bench: ApiBench, path: str) -> None:
    body = {"cashier": SALE["cashier"]} if path.endswith(("open", "report")) else None
    reply = bench.lan("POST", path, body, token=bench.token(Role.ADMIN))
    assert (reply.status, reply.code) == (400, "KEY_MISSING")


def test_the_unix_socket_needs_no_key_but_honours_one(bench: ApiBench) -> None:
    assert bench.root("POST", "/v1/kkt/receipt", SALE).status == 200
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = bench.root("POST", "/v1/kkt/receipt", SALE, key)
    again = bench.root("POST", "/v1/kkt/receipt", SALE, key)
    assert first.body["receipt_id"] == again.body["receipt_id"]
    bad = bench.root("POST", "/v1/kkt/receipt", SALE, {"Idempotency-Key": "x"})
    assert bad.code == "KEY_MISSING"


def test_a_full_buffer_refuses_with_the_cashiers_sentence_and_frees_the_key(
    own_bench: ApiBench,
) -> None:
    assert own_bench.till is not None
    object.__setattr__(own_bench.till.desk.rules, "capacity", 1)
    key = str(uuid.uuid4())
    assert own_bench.sell().status == 200
    full = own_bench.sell(key=key)
    assert (full.status, full.code) == (503, "BUFFER_FULL")
    assert full.body["message"].startswith("Невозможно принять оплату. Офлайн-буфер переполнен")
    assert int(full.headers["Retry-After"]) > 0
    object.__setattr__(own_bench.till.desk.rules, "capacity", 10)
    assert own_bench.sell(key=key).status == 200


def test_a_stopping_till_tells_those_who_wait_how_they_stand(own_bench: ApiBench) -> None:
    own_bench.token(Role.CASHIER)
    replies: list[Reply] = []
    with own_bench.paused():
        thread = threading.Thread(target=lambda: replies.append(own_bench.sell()))
        thread.start()
        time.sleep(0.4)
        started = time.monotonic()
        own_bench.stop_server()
        thread.join(10)
        assert time.monotonic() - started < 2.5
    assert replies[0].status == 202
    assert replies[0].body["print_state"] == "accepted"
