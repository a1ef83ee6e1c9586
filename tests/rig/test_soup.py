"""Whatever comes down the line, the device lives and no document is made twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from rig.faults import Faults
from rig.link import frame
from rig.shtrih_tables import COMMANDS

from tests.rig.bench import (
    ACK,
    CANCEL,
    CONTINUE,
    ENQ,
    NAK,
    OPEN_SHIFT,
    STX,
    SYSTEM,
    Z_REPORT,
    Bench,
    close,
    open_receipt,
    operation,
)

FEW = settings(max_examples=40, deadline=None)
SALE = (open_receipt(0), operation(), close(cash=10_000))
pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([ENQ, ACK, NAK, STX, b"\xff"]),
    st.sampled_from([frame(payload) for payload in SALE]),
    st.sampled_from([frame(payload)[:9] for payload in SALE]),
)
pauses = st.sampled_from([0.0, 0.01, 0.06, 1.0, 5.0])


def payloads() -> st.SearchStrategy[bytes]:
    """Commands with the right password and anything behind it."""
    return st.builds(
        lambda row, rest: (row.code_bytes + (SYSTEM if row.who else b"") + rest)[:255],
        st.sampled_from(COMMANDS),
        st.binary(max_size=130),
    )


@FEW
@given(st.lists(st.tuples(pieces, pauses), max_size=40))
def test_any_soup_of_bytes_leaves_a_device_that_still_answers(
    soup: list[tuple[bytes, float]],
) -> None:
    bench = Bench()
    for data, pause in soup:
        bench.say(data)
        bench.hear(pause)
    bench.hear(10)
    for _ in range(4):
        heard = bench.say(ENQ)
        bench.say(ACK if heard[:1] == ACK else b"")
    assert bench.say(ENQ) == NAK
    assert bench.mode()[0] & 0x0F in (2, 4, 8)


@FEW
@given(st.lists(payloads(), max_size=25))
def test_any_parameters_get_an_answer_and_never_break_the_numbering(sent: list[bytes]) -> None:
    bench = Bench()
    for payload in sent:
        answer = bench.ask(payload)
        assert answer[: 2 if payload[:1] == b"\xff" else 1] in (payload[:1], payload[:2])
    assert [found["fd"] for found in bench.printer.documents()] == list(
        range(1, bench.last_fd() + 1)
    )


@FEW
@given(st.lists(st.sampled_from([ENQ, NAK, b"\x00", ENQ + ENQ]), max_size=20), st.data())
def test_one_accepted_frame_makes_one_document_whatever_the_host_says_after(
    chatter: list[bytes], data: st.DataObject
) -> None:
    bench = Bench()
    bench.open_shift()
    bench.code(open_receipt(0))
    bench.code(operation())
    bench.say(ENQ)
    bench.say(frame(close(cash=10_000)))
    for said in chatter:
        bench.say(said)
        bench.hear(data.draw(pauses))
    assert bench.last_fd() == 3


@FEW
@given(st.integers(0, 2**32), st.floats(0.0, 0.2), st.sampled_from(["to_device", "to_host"]))
def test_noise_is_the_same_for_the_same_seed_and_harms_only_the_line(
    seed: int, rate: float, direction: str
) -> None:
    heard = []
    for _ in range(2):
        bench = Bench(faults=Faults())
        bench.faults.add("printer", "noise", seed=seed, rate=rate, direction=direction)
        heard.append([bench.say(ENQ) + bench.say(frame(SALE[0])) for _ in range(10)])
    assert heard[0] == heard[1]


TILL_LIFE = st.lists(
    st.one_of(
        st.sampled_from([OPEN_SHIFT, Z_REPORT, CANCEL, CONTINUE, *SALE]).map(frame),
        st.sampled_from(["power", "process", "paper out", "paper in", "day"]),
    ),
    max_size=30,
)


@FEW
@given(TILL_LIFE)
def test_the_fn_only_ever_grows_whatever_befalls_the_till(life: list[bytes | str]) -> None:
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), {"print_ms": 300})
        before = bench.printer.documents(with_tlv=True)
        for event in life:
            if isinstance(event, bytes):
                bench.say(ENQ)
                bench.say(event)
                bench.say(ACK)
            elif event == "power":
                bench.printer.cut_power(bench.now_s)
            elif event == "process":
                bench.start()
            elif event == "paper out":
                bench.printer.take_paper_out()
            elif event == "paper in":
                bench.printer.insert_paper()
            else:
                bench.wall += timedelta(hours=25)
            bench.hear(0.2)
            after = bench.printer.documents(with_tlv=True)
            assert after[: len(before)] == before
            assert len(after) - len(before) <= (2 if event == frame(SALE[0]) else 1)
            before = after
        bench.start()
        assert bench.printer.documents(with_tlv=True) == before
