"""Whatever a printer sends ends in a fact or in a clean error, never in another exception."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kktd.printers.shtrih import answers, commands
from kktd.printers.shtrih.answers import BadAnswer, DeviceRefused

READERS: list[tuple[commands.Command, Callable[[bytes], object]]] = [
    (commands.SHORT_STATUS, answers.till_state),
    (commands.FULL_STATUS, answers.full_status),
    (commands.DEVICE_TYPE, answers.device_type),
    (commands.PARAMETERS, answers.storage_table),
    (commands.READ_TABLE, answers.table_text),
    (commands.SUBTOTAL, answers.subtotal),
    (commands.FN_STATUS, answers.fn_status),
    (commands.SHIFT_STATE, answers.shift_state),
    (commands.CLOSE_RECEIPT, answers.closed_receipt),
    (commands.FIND_DOCUMENT, lambda answer: answers.found_document(answer, 1)),
    (commands.READ_TLV, answers.tlv_part),
]


@pytest.mark.parametrize(("command", "read"), READERS, ids=lambda value: getattr(value, "name", ""))
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_end_in_a_fact_or_a_clean_error(
    command: commands.Command, read: Callable[[bytes], object], rest: bytes, fine: bool
) -> None:
    answer = command.code + (b"\0" if fine else b"") + rest
    try:
        read(answers.checked(command, answer))
    except (BadAnswer, DeviceRefused):
        return


def test_an_error_carries_the_printers_code() -> None:
    with pytest.raises(DeviceRefused) as caught:
        answers.checked(commands.CLOSE_RECEIPT, b"\xff\x45\x6b")
    assert caught.value.device_code == 0x6B


def test_an_old_till_refuses_an_fn_command_in_two_bytes() -> None:
    with pytest.raises(DeviceRefused) as caught:
        answers.checked(commands.FN_STATUS, b"\xff\x37")
    assert caught.value.device_code == 0x37


def test_the_answer_to_another_document_is_none() -> None:
    answer = bytes.fromhex("FF0A0003001103181435A3000000EBEA4B2E01204E000000")
    with pytest.raises(BadAnswer):
        answers.found_document(answer, 164)


def test_a_clock_that_shows_no_date_is_no_clock() -> None:
    answer = bytearray(48)
    answer[0] = 0x11
    assert answers.full_status(bytes(answer)).clock is None


def test_a_serial_of_two_parts_is_one_number() -> None:
    answer = bytearray(52)
    answer[0], answer[32], answer[50] = 0x11, 0x01, 0x01
    assert answers.full_status(bytes(answer)).serial == str((1 << 32) + 1)
