"""A host program by other people works the simulated registrar over a pseudo-terminal.

pyshtrih 2.0.6 was written for real registrars.  Its answers are read as mappings: printing one
needs a Python older than 3.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyshtrih
import pytest
from rig import tlv
from rig.faults import Faults
from rig.printer import SimulatedPrinter
from rig.transport import PtyTransport

from tests.rig.bench import tag

BREAD = ("Хлеб", 2_500, 4_000)  # thousandths, kopecks: 100.00
BASIS = bytes.fromhex("95040100 00 96040d00 9a040400 0092a469 9b040100 31")


@dataclass
class Desk:
    host: Any  # the package has no annotations
    printer: SimulatedPrinter
    faults: Faults

    def last(self) -> dict[str, object]:
        return self.printer.documents()[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    faults = Faults()
    printer = SimulatedPrinter(None, faults)
    line = PtyTransport(printer, tmp_path / "line")
    host: Any = pyshtrih.ShtrihFR01F(port=str(tmp_path / "line"), baudrate=115_200, timeout=2)
    host.connect()
    yield Desk(host, printer, faults)
    host.disconnect()
    line.close()
    printer.close()


@pytest.fixture
def shift(desk: Desk) -> Desk:
    desk.host.open_shift()
    return desk


def test_it_finds_the_model_and_reads_both_states(desk: Desk) -> None:
    assert desk.host.name == "ШТРИХ-НАНО-Ф"
    assert desk.host.state()["Режим ФР"].num == 4
    assert desk.host.full_state()["Сборка ПО ФР"] == 664  # its ИНН is read with bytes swapped
    assert desk.host.fs_state()["Номер ФН"] == b"9999078902019097"
    assert desk.host.fs_expiration_time()["Выполнено отчетов о перерегистрации"] == 1
    assert desk.host.read_exchange_params(0)["Код скорости обмена"] == 115_200


def test_it_sells_and_gives_change(shift: Desk) -> None:
    shift.host.open_check(0)
    shift.host.sale(BREAD, tax1=2)
    shift.host.send_tlv_struct(pyshtrih.FD({1008: "a@b.ru"}).dump())
    assert shift.host.close_check(cash=20_000)["Сдача"] == 10_000
    made = shift.last()
    assert (made["type"], made["sign"], made["total_kopecks"]) == ("receipt", 1, 10_000)
    assert "ЭЛ.АДР.ПОКУПАТЕЛЯ a@b.ru" in shift.printer.paper()
    found = shift.host.fs_find_document_by_num(made["fd"])
    assert found["Тип фискального документа"] == 3
    assert bytes(found["Данные фискального документа"])[-6:] == b"\x01\x10\x27\0\0\0"
    assert shift.host.fs_shift_params()["Номер чека"] == 1


def test_it_opens_a_receipt_by_its_first_item_and_takes_money_back(shift: Desk) -> None:
    shift.host.return_sale(BREAD)
    shift.host.close_check(payment_type2=10_000)
    assert (shift.last()["sign"], shift.last()["total_kopecks"]) == (2, 10_000)


def test_it_cancels_a_receipt(shift: Desk) -> None:
    shift.host.sale(BREAD)
    shift.host.cancel_check()
    assert shift.last()["type"] == "shift_open"
    assert shift.host.state()["Режим ФР"].num == 2


def test_it_reads_and_writes_tables(desk: Desk) -> None:
    assert desk.host.request_table_structure(18)["Количество полей"] == 25
    assert desk.host.request_field_structure(17, 3)["Максимальное значение поля"] == 2
    assert desk.host.read_table(18, 1, 1, str)["Значение"] == "0380490041048485"
    desk.host.write_table(4, 1, 1, "Привет", str)
    assert desk.host.read_table(4, 1, 1, str)["Значение"] == "Привет"


def test_it_moves_cash_and_reads_the_registers(shift: Desk) -> None:
    shift.host.income(5_000)
    shift.host.outcome(1_000)
    register = shift.host.request_monetary_register(241)
    assert register["Содержимое регистра"] == 4_000
    with pytest.raises(pyshtrih.Error) as refused:
        shift.host.outcome(4_001)
    assert refused.value.code == 0x46


def test_it_prints_reports_copies_and_strings(shift: Desk) -> None:
    shift.host.sale(BREAD)
    shift.host.close_check(cash=10_000)
    shift.host.x_report()
    shift.host.repeat()
    shift.host.print_string("Спасибо")
    shift.host.feed(1)
    shift.host.cut()
    shift.host.open_drawer()
    paper = shift.printer.paper()
    assert {"X-ОТЧЕТ N 1", "КОПИЯ", "Спасибо"} <= set(paper)
    shift.host.z_report()
    assert shift.last()["type"] == "shift_close"
    assert shift.host.fs_shift_params()["Состояние смены"] == "смена закрыта"


def test_it_corrects_and_asks_for_the_state_of_settlements(shift: Desk) -> None:
    shift.host.fs_begin_correction_check()
    shift.host.send_tlv_struct(BASIS)
    shift.host.fs_correction_check(10_000, 1)
    assert (shift.last()["type"], shift.last()["total_kopecks"]) == ("correction", 10_000)
    shift.host.fs_calculation_state_report()
    assert shift.last()["type"] == "settlements"
    assert shift.host.fs_unconfirmed_document_count()["Количество неподтверждённых ФД"] == 4
    assert shift.host.fs_info_exchange()["Количество сообщений для ОФД"] == 4


def test_it_waits_for_paper_and_goes_on_printing(shift: Desk) -> None:
    shift.host.sale(BREAD)
    shift.faults.add("printer", "paper_out", times=1, command="close_receipt_old", when="during")
    shift.host.close_check(cash=10_000)
    shift.printer.insert_paper()
    shift.host.x_report()  # waits for the end of printing, with B0h of its own
    assert shift.printer.paper().count("ИТОГ = 100.00") == 1
    assert len(shift.printer.documents()) == 3


def test_it_names_the_cashier_of_a_shift_before_it_opens_and_closes_it(desk: Desk) -> None:
    who = tag(1021, "Иванова".encode("cp866")) + tag(1203, b"123456789047")  # it knows neither
    desk.host.fs_begin_open_shift()
    desk.host.send_tlv_struct(who)
    desk.host.open_shift()
    desk.host.fs_begin_close_shift()
    desk.host.send_tlv_struct(who)
    desk.host.z_report()
    for document in desk.printer.till.fn.documents[1:]:
        name = tlv.find(document.tags(), 1021)
        assert name is not None
        assert name.text() == "Иванова"


def test_it_cancels_what_it_has_begun_in_the_fn(shift: Desk) -> None:
    shift.host.fs_begin_correction_check()
    with pytest.raises(pyshtrih.Error):
        shift.host.fs_begin_correction_check()
    shift.host.fs_cancel_document()
    shift.host.fs_begin_correction_check()
    shift.host.fs_cancel_document()
    assert shift.last()["type"] == "shift_open"


def test_it_sets_the_clock_and_the_line(desk: Desk) -> None:
    moment = desk.printer.till.now() + timedelta(days=1)
    desk.host.set_date(moment.date())
    assert desk.host.state()["Режим ФР"].num == 6
    desk.host.confirm_date(moment.date())
    desk.host.set_time(moment.time())
    assert abs(desk.printer.till.now() - moment) < timedelta(seconds=30)
    desk.host.set_exchange_params(0, 115_200, 0.1)
    assert desk.host.read_exchange_params(0)["Код скорости обмена"] == 115_200


def test_its_registers_follow_receipts_of_every_rate_and_tender(shift: Desk) -> None:
    for tax, tender in ((1, "cash"), (2, "payment_type2"), (4, "payment_type3")):
        shift.host.sale(BREAD, tax1=tax)
        shift.host.close_check(**{tender: 10_000})
    sums = [
        shift.host.request_monetary_register(number)["Содержимое регистра"]
        for number in (193, 197, 201)
    ]
    assert sums == [10_000, 10_000, 10_000]
    made = shift.host.request_operational_register(144)
    assert made["Содержимое регистра"] == 3
