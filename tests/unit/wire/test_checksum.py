"""Check sums against values other people computed."""

from __future__ import annotations

import pytest

from kktd.wire.checksum import crc16, lrc


@pytest.mark.parametrize(
    ("data", "expected"),
    [("00 00", 0x1D0F), ("03 00 06 00 FC", 0x63ED), ("02 00 01 00", 0x5A99)],
)
def test_crc16_of_frames_of_protocol_2(data: str, expected: int) -> None:
    assert crc16(bytes.fromhex(data)) == expected


def test_crc16_of_the_catalogues_check_string() -> None:
    assert crc16(b"123456789") == 0x29B1  # CRC-16/CCITT-FALSE


def test_lrc_is_the_xor_of_all_bytes() -> None:
    assert lrc(bytes.fromhex("01 FC")) == 0xFD
