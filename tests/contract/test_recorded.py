"""What real registrars sent is understood; what was sent to them is what kktd would send.

The bytes stand in `recorded/`, each with its public source.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from kktd.model.fiscal import DocumentType
from kktd.model.money import Kopecks
from kktd.model.receipt import PaymentMethod, Settlement, Sign, Subject, VatRate
from kktd.printers.shtrih import answers, commands, payload, tlv
from kktd.printers.shtrih.framing import Deframer, Kind, encode

RECORDED: Final = Path(__file__).parent / "recorded" / "shtrih_v1.txt"
PASSWORD: Final = 30
local: Final = datetime.fromisoformat  # a till keeps no zone


def lines(direction: str) -> list[bytes]:
    text = RECORDED.read_text(encoding="utf-8").splitlines()
    return [bytes.fromhex(line[1:]) for line in text if line.startswith(direction)]


def answer(head: str, nth: int = 0) -> bytes:
    """Payload of the nth recorded answer that begins so."""
    wanted = bytes.fromhex(head)
    found = [frame[2:-1] for frame in lines("<") if frame[2:].startswith(wanted)]
    return found[nth]


def question(command: commands.Command, parameters: bytes = b"", password: int = PASSWORD) -> bytes:
    return encode(payload.question(command, password, parameters))


@pytest.mark.parametrize("direction", [">", "<"])
def test_every_recorded_frame_is_whole(direction: str) -> None:
    recorded = [data for data in lines(direction) if len(data) > 1]
    assert len(recorded) > 15
    for data in recorded:
        (token,) = Deframer().feed(data)
        assert token.kind is Kind.FRAME
        assert encode(token.payload) == data


@pytest.mark.parametrize(
    ("built", "note"),
    [
        (question(commands.DEVICE_TYPE), "FCh"),
        (question(commands.FULL_STATUS), "11h"),
        (question(commands.FULL_STATUS, password=28), "11h, senior cashier"),
        (question(commands.SHORT_STATUS), "10h"),
        (question(commands.PARAMETERS, b"\x01"), "F7h"),
        (question(commands.FN_STATUS), "FF01h"),
        (question(commands.OPEN_SHIFT), "E0h"),
        (question(commands.CANCEL_RECEIPT), "88h"),
        (
            question(commands.CLOSE_RECEIPT, payload.close_receipt({PaymentMethod.CASH: 50_00}, 1)),
            "FF45h",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_questions_are_the_recorded_bytes(built: bytes, note: str) -> None:
    assert built in lines(">"), note


def test_a_line_is_the_recorded_bytes_but_for_the_padding() -> None:
    line = payload.Operation(
        name="Позиция 1",
        quantity_millionths=3_000_000,
        price_kopecks=13_33,
        total_kopecks=40_00,
        vat=VatRate.V20,
        settlement=Settlement.FULL_PAYMENT,
        subject=Subject.COMMODITY,
    )
    parameters = payload.operation(Sign.SALE, line, payload.VAT_BYTE)
    built = payload.question(commands.OPERATION, PASSWORD, parameters)
    (recorded,) = [data[2:-1] for data in lines(">") if data[2:4] == b"\xff\x46"]
    assert recorded.rstrip(b"\0") == built
    assert not recorded[len(built) :].strip(b"\0")


def test_a_text_that_a_till_refused_is_sent_without_its_line_end() -> None:
    (recorded,) = [data[2:-1] for data in lines(">") if data[2:4] == b"\xff\x0c"]
    (item,) = tlv.decode(recorded[6:])
    with pytest.raises(answers.DeviceRefused) as caught:
        answers.checked(commands.SEND_TLV, answer("ff0c"))
    assert caught.value.device_code == 0x33
    again = tlv.string(item.tag, item.value.decode("cp866"), 256)
    assert again.value == item.value.replace(b"\n", b" ")


def test_device_types() -> None:
    assert answers.device_type(answer("fc")) == answers.DeviceType(22, "РИТЕЙЛ-01Ф")
    assert answers.device_type(answer("fc", 1)) == answers.DeviceType(45, "ШТРИХ-СМАРТПОС-Ф")


def test_full_status() -> None:
    status = answers.full_status(answers.checked(commands.FULL_STATUS, answer("11")))
    assert status.firmware == "C.1.54219"
    assert status.clock == local("2018-10-25T07:45:23")
    assert status.state == answers.TillState(answers.Mode.SHIFT_OPEN, 0, cover_open=False)


def test_short_status_with_a_receipt_open_and_without() -> None:
    idle = answers.till_state(answers.checked(commands.SHORT_STATUS, answer("10", 1)))
    busy = answers.till_state(answers.checked(commands.SHORT_STATUS, answer("10", 2)))
    assert (idle.mode, busy.mode) == (answers.Mode.SHIFT_OPEN, answers.Mode.RECEIPT_OPEN)


def test_parameters_name_the_storage_table() -> None:
    assert answers.storage_table(answers.checked(commands.PARAMETERS, answer("f7"))) == 18


def test_fn_status() -> None:
    status = answers.fn_status(answers.checked(commands.FN_STATUS, answer("ff01")))
    assert status == answers.FnStatus(
        current_document=0, shift_open=True, fn="9287440301120991", last_fd=425
    )


def test_a_closed_receipt_has_number_and_sign() -> None:
    closed = answers.closed_receipt(answers.checked(commands.CLOSE_RECEIPT, answer("ff45")))
    assert closed == answers.ClosedReceipt(fd=29, fp=0xFF3560F3)


# Payloads of the vendor's unit tests: shtrih-m/javapos_shtrih, FSFindDocument and its neighbours.
FOUND = [
    (
        "FF 0A 00 03 00 11 03 18 14 35 A3 00 00 00 EB EA 4B 2E 01 20 4E 00 00 00",
        answers.FoundDocument(
            DocumentType.RECEIPT,
            163,
            0x2E4BEAEB,
            local("2017-03-24T20:53"),
            Sign.SALE,
            Kopecks(200_00),
        ),
    ),
    (
        "FF 0A 00 02 00 11 07 06 02 35 03 00 00 00 5B E1 AE D0 01 00",
        answers.FoundDocument(
            DocumentType.SHIFT_OPEN, 3, 3501121883, local("2017-07-06T02:53"), shift=1
        ),
    ),
    (
        "FF 0A 00 05 00 11 07 06 02 36 06 00 00 00 FD 00 61 D9 01 00",
        answers.FoundDocument(
            DocumentType.SHIFT_CLOSE, 6, 3647013117, local("2017-07-06T02:54"), shift=1
        ),
    ),
    (
        "FF 0A 00 01 00 11 07 06 02 34 01 00 00 00 B7 9F D1 4D 35 30 32 34 30 35 34 34 34 35 20 20"
        " 30 30 30 30 30 30 31 33 35 38 30 32 36 31 33 31 20 20 20 20 3F 01",
        answers.FoundDocument(DocumentType.REGISTRATION, 1, 1305583543, local("2017-07-06T02:52")),
    ),
]


@pytest.mark.parametrize(("data", "expected"), FOUND, ids=lambda value: getattr(value, "type", ""))
def test_documents_of_the_archive(data: str, expected: answers.FoundDocument) -> None:
    received = answers.checked(commands.FIND_DOCUMENT, bytes.fromhex(data))
    assert answers.found_document(received, expected.fd) == expected


def test_a_document_is_asked_for_by_its_number() -> None:
    built = payload.question(commands.FIND_DOCUMENT, PASSWORD, payload.unsigned(163, 4))
    assert built.hex(" ").upper() == "FF 0A 1E 00 00 00 A3 00 00 00"


@pytest.mark.parametrize(
    ("data", "table"),
    [
        (
            "F7 00 18 00 00 37 00 1E 00 00 00 00 01 0C 0A 00 00 00 00 00 00 1E 00 00 00 0C 06 FF 00"
            " 20 20 58 02 0E 0F",
            14,
        ),
        (
            "F7 00 5A A0 40 03 00 0C 00 00 0C 18 01 0C 10 00 00 00 00 00 00 1E 00 00 00 00 06 FF 00"
            " 40 40 B6 03",
            18,
        ),
        (
            "F7 00 08 00 C0 F7 3F 08 00 00 00 00 01 0C 0A 00 00 00 00 00 00 1E 00 00 00 00 06 FF 00"
            " 28 00 00 00 0D 0E 10 0A 1D",
            13,
        ),
    ],
)
def test_models_keep_the_storage_table_where_they_say(data: str, table: int) -> None:
    """Vendor's unit tests; the last one, ШТРИХ-МОБАЙЛ-Ф, has a line count in between."""
    assert answers.storage_table(bytes.fromhex(data)) == table
