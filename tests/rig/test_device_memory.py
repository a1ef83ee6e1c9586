"""The FN, its journal and its TLV by themselves.  [FFD] 1, 9; [SHTRIH] 7."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import fn, tlv
from rig.faults import Faults
from rig.fn import FiscalStorage, FnRefused
from rig.memory import Memory
from rig.printer import SimulatedPrinter

NOON = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 - a till's local clock


def a_storage() -> FiscalStorage:
    storage = FiscalStorage("9999078902019097", b"secret")
    storage.sign(fn.REGISTRATION, NOON, lambda _numbers: [])
    return storage


def user_only(name: str, _numbers: fn.Numbers) -> list[tlv.Tlv]:
    return [tlv.text(1048, name)]


def test_numbers_run_without_gaps_and_receipts_restart_in_each_shift() -> None:
    storage = a_storage()
    forms = [fn.SHIFT_OPEN, fn.RECEIPT, fn.RECEIPT, fn.SHIFT_CLOSE, fn.SHIFT_OPEN, fn.CORRECTION]
    made = [storage.sign(form, NOON, lambda _numbers: []) for form in forms]
    assert [document.fd for document in made] == list(range(2, 8))
    assert [document.receipt_no for document in made] == [0, 1, 2, 0, 0, 1]
    assert [document.shift for document in made] == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("form", [fn.RECEIPT, fn.SHIFT_CLOSE, fn.REGISTRATION])
def test_a_document_out_of_place_is_refused(form: int) -> None:
    storage = a_storage()
    with pytest.raises(FnRefused) as refusal:
        storage.sign(form, NOON, lambda _numbers: [])
    assert refusal.value.code == 0x02
    assert storage.last_fd == 1


def test_the_sign_depends_on_every_byte_and_on_the_storage() -> None:
    signs = set()
    for secret, text in ((b"a", "x"), (b"a", "y"), (b"b", "x")):
        storage = FiscalStorage("9999078902019097", secret)
        body = partial(user_only, text)
        signs.add(storage.sign(fn.REGISTRATION, NOON, body).fp)
    assert len(signs) == 3


def test_a_closed_shift_of_any_age_can_be_followed_by_a_new_one() -> None:
    storage = a_storage()
    storage.sign(fn.SHIFT_OPEN, NOON, lambda _numbers: [])
    late = NOON + timedelta(hours=24, minutes=1)
    with pytest.raises(FnRefused) as refusal:
        storage.sign(fn.RECEIPT, late, lambda _numbers: [])
    assert refusal.value.code == 0x16
    storage.sign(fn.SHIFT_CLOSE, late, lambda _numbers: [])
    storage.sign(fn.SHIFT_OPEN, late, lambda _numbers: [])
    assert storage.sign(fn.RECEIPT, late, lambda _numbers: []).receipt_no == 1


def test_only_whole_lines_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    memory = Memory(path, fsync=False)
    memory.append({"a": 1})
    memory.append({"b": "ФН"})
    memory.close()
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        again = Memory(path)
        assert again.records() in ([], [{"a": 1}])
        again.append({"c": 3})
        again.close()
        assert Memory(path).records()[-1] == {"c": 3}


def test_what_was_appended_outlives_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from rig.memory import Memory;"
        "Memory(Path(sys.argv[1])).append({'kept': True}); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "journal")],
        cwd=Path(__file__).parents[1] / "hil",
        check=False,
    )
    assert died.returncode == -9
    assert Memory(tmp_path / "journal").records() == [{"kept": True}]


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (tlv.vln(1020, 0), "FC 03 01 00 00"),
        (tlv.vln(1031, 2589), "07 04 02 00 1D 0A"),
        (tlv.fvln(1023, 1_000_000, 6), "FF 03 04 00 06 40 42 0F"),
        (
            tlv.text(1037, "0000000001004985", 20),
            "0D 04 14 00" + "30" * 9 + "31303034393835" + "20" * 4,
        ),
        (tlv.moment(1012, datetime(2023, 1, 26, 16, 17)), "F4 03 04 00 7C A7 D2 63"),  # noqa: DTZ001
    ],
)
def test_requisites_are_encoded_as_real_tills_do(made: tlv.Tlv, wanted: str) -> None:
    assert made.encode() == bytes.fromhex(wanted)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=50))))
def test_a_list_of_requisites_survives_encoding(pairs: list[tuple[int, bytes]]) -> None:
    tags = [tlv.Tlv(number, value) for number, value in pairs]
    assert tlv.decode_all(tlv.encode_all(tags)) == tags


@given(st.binary(max_size=40))
def test_any_bytes_are_whole_requisites_or_refused(data: bytes) -> None:
    try:
        assert tlv.encode_all(tlv.decode_all(data)) == data
    except tlv.BadTlv:
        assert data


def test_a_memory_of_another_fn_is_not_taken(tmp_path: Path) -> None:
    SimulatedPrinter(tmp_path, Faults(), fsync=False).close()
    with pytest.raises(ValueError, match="9999078902019097"):
        SimulatedPrinter(tmp_path, Faults(), fn_number="9999078902000001")
