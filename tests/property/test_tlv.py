"""Tags: what is written is read back, and rubbish ends in BadTlv and nothing else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kktd.printers.shtrih import tlv

tags = st.builds(tlv.Tlv, st.integers(0, 0xFFFF), st.binary(max_size=40))


@given(st.lists(tags, max_size=8))
def test_tags_are_read_back(sent: list[tlv.Tlv]) -> None:
    assert list(tlv.decode(b"".join(item.encoded() for item in sent))) == sent


@given(st.integers(0, 0xFFFF), st.lists(tags, max_size=4))
def test_nested_tags_are_read_back(tag: int, parts: list[tlv.Tlv]) -> None:
    (outer,) = tlv.decode(tlv.stlv(tag, parts).encoded())
    assert outer.tag == tag
    assert list(tlv.decode(outer.value)) == parts


@given(st.integers(0, 2**64 - 1), st.integers(0, 3))
def test_numbers_are_read_back_padded_or_not(value: int, padding: int) -> None:
    data = tlv.vln_bytes(value)
    assert tlv.read_vln((data + bytes(padding))[: tlv.VLN_BYTES_MAX]) == value
    assert len(data) == 1 or data[-1] != 0


@given(st.decimals(0, 10**10, allow_nan=False, places=6))
def test_decimals_are_read_back(value: Decimal) -> None:
    assert tlv.read_fvln(tlv.fvln_bytes(value)) == value


@given(st.binary(max_size=64))
def test_rubbish_is_tags_or_bad_tlv(data: bytes) -> None:
    try:
        found = list(tlv.decode(data))
    except tlv.BadTlv:
        return
    assert b"".join(item.encoded() for item in found) == data


@given(st.text(max_size=100), st.integers(0, 64))
def test_any_text_becomes_bytes_a_till_takes(text: str, length_max: int) -> None:
    for codepage in ("cp866", "cp1251"):
        data = tlv.printable(text, codepage, length_max)
        assert len(data) <= length_max
        assert all(byte >= 0x20 for byte in data)


# Vectors of public tests and real tills: the value, its bytes, where they were published.
NUMBERS = [
    (305419896, "78563412", "chayleaf/coop-fd, fiscal-data/src/lib.rs"),
    (1193046, "563412", "chayleaf/coop-fd, fiscal-data/src/lib.rs"),
    (404969, "e92d06", "yandex/ofd, tests/ofd_test.py"),
    (87892227523633, "31040001f04f", "yandex/ofd, tests/ofd_test.py"),
    (0, "00", "tieugene/kitpos, tests/samples.py"),
]
DECIMALS = [
    ("1234567.89", "0215cd5b07", "yandex/ofd, tests/ofd_test.py"),
    ("11.93046", "05563412", "chayleaf/coop-fd"),
    ("1", "0001", "tieugene/kitpos, tests/samples.py"),
    ("1.000000", "0640420f", "shtrih-m/javapos_shtrih, TLVItemTests.java"),
]
STRINGS = [
    ("Тест", "92a5e1e2", "yandex/ofd, tests/ofd_test.py"),
    ("Привет, мир!", "8fe0a8a2a5e22c20aca8e021", "chayleaf/coop-fd"),
]


@pytest.mark.parametrize(("value", "data", "_source"), NUMBERS)
def test_known_numbers(value: int, data: str, _source: str) -> None:
    assert tlv.vln_bytes(value).hex() == data
    assert tlv.read_vln(bytes.fromhex(data)) == value


@pytest.mark.parametrize(("value", "data", "_source"), DECIMALS)
def test_known_decimals(value: str, data: str, _source: str) -> None:
    assert tlv.fvln_bytes(Decimal(value)).hex() == data
    assert tlv.read_fvln(bytes.fromhex(data)) == Decimal(value)


@pytest.mark.parametrize(("value", "data", "_source"), STRINGS)
def test_known_strings(value: str, data: str, _source: str) -> None:
    assert tlv.string(1000, value, 64).value.hex() == data
    assert tlv.read_string(bytes.fromhex(data)) == value


def test_numbers_as_other_writers_put_them() -> None:
    assert tlv.read_vln(b"") == 0  # chayleaf/coop-fd writes zero so
    padded = bytes.fromhex("02d7370200000000")  # yandex/ofd, tests/ofd_test.py
    assert tlv.read_fvln(padded) == Decimal("1453.67")


def test_a_known_tag_with_a_string() -> None:
    text = "Мама, мыла; раму!_AaE)"  # shtrih-m/javapos_shtrih, TLVListTests.java
    expected = "9a0216008ca0aca02c20acebaba03b20e0a0ace3215f41614529"
    assert tlv.string(666, text, 64).encoded().hex() == expected


def test_a_known_nested_tag() -> None:
    parts = (tlv.string(1000, "Привет, мир!", 64), tlv.u32(1020, 305419896))  # chayleaf/coop-fd
    expected = "e8030c008fe0a8a2a5e22c20aca8e021fc03040078563412"
    assert tlv.stlv(1059, parts).value.hex() == expected


@pytest.mark.parametrize("value", [-1, 2**64])
def test_numbers_that_fit_no_tag_are_refused(value: int) -> None:
    with pytest.raises(tlv.BadTlv):
        tlv.vln_bytes(value)


@pytest.mark.parametrize("value", ["-1", "NaN", "1E+3", "Infinity"])
def test_decimals_that_fit_no_tag_are_refused(value: str) -> None:
    with pytest.raises(tlv.BadTlv):
        tlv.fvln_bytes(Decimal(value))


def test_an_inn_is_padded_with_spaces() -> None:
    assert tlv.fixed_string(1203, "7701234567", 12).value == b"7701234567  "
