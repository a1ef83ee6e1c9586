"""Error codes of the FN and the till: what each means, and what it leaves to do.

Source: [SHTRIH] 10.1 (FN), 10.2 (till).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Class(StrEnum):
    """Who can do something about it."""

    TRANSIENT = "T"  # wait, repeat
    OPERATOR = "O"  # the person at the till
    STATE = "S"  # wrong moment: bring the till into another state
    CALLER = "C"  # the data or the settings are wrong
    FATAL = "F"  # service


@dataclass(frozen=True, slots=True)
class DeviceError:
    """One row of the vendor's list."""

    code: int
    text: str
    kind: Class
    remedy: str  # a key of `printers/remedies`

    @property
    def passes(self) -> bool:
        """The same receipt may be printed later."""
        return self.kind in (Class.TRANSIENT, Class.OPERATOR)


NO_DATA: Final = 0x08
SHIFT_NOT_OPEN: Final = 0x3D
SHIFT_EXPIRED: Final = 0x4E
BUSY: Final = 0x50
WAITS_CONTINUE: Final = 0x58
ANOTHER_DATE: Final = 0x7C
CONFIRM_DATE: Final = 0xC0

# Not in the state the command wants: FN state, other receipt open, no receipt, other operator's,
# submode, mode; a marking code that the FN forgot when its power went (A1, A5, AC)
WRONG_MOMENT: Final = frozenset({0x02, 0x49, 0x4A, 0x55, 0x59, 0x72, 0x73, 0xA1, 0xA5, 0xAC})

# code, class, remedy, text
_ROWS: Final = """
01 C setup           неизвестная команда, неверный формат посылки
02 S engineer        неверное состояние ФН
03 F fn_failed       отказ ФН
04 F fn_failed       отказ криптографического сопроцессора ФН
05 F fn_expired      закончен срок эксплуатации ФН
06 F fn_full         архив ФН переполнен
07 S clock           неверные дата или время
08 S engineer        нет запрошенных данных
09 C data            некорректное значение параметров команды
10 C data            превышены размеры TLV-данных
11 T link            нет транспортного соединения
12 F fn_expired      исчерпан ресурс ФН
14 S ofd             исчерпан ресурс хранения: документы не переданы в ОФД
15 S ofd             исчерпан ресурс ожидания передачи в ОФД
16 S close_shift     продолжительность смены более 24 часов
17 S clock           неверная разница времени между операциями
20 S ofd             сообщение ОФД не принято
23 T busy            обновление ключей: отрицательный ответ
24 T busy            обновление ключей: неизвестный ответ
30 F fn_failed       ФН не отвечает
2B S engineer        невозможно отменить предыдущую команду
2C S shift_is_closed обнулённая касса: смена уже закрыта
2D C data            сумма чека по секции меньше суммы сторно
2E S cash            в ККТ нет денег для выплаты
2F T fn_failed       таймаут обмена с ФН
31 F fn_failed       ошибка формата обмена с ФН
32 F fn_failed       ошибка CRC обмена с ФН
33 C data            некорректные параметры в команде
34 S engineer        нет данных
35 C setup           некорректный параметр при данных настройках
36 C setup           некорректные параметры для данной реализации ККТ
37 C setup           команда не поддерживается
38 F engineer        ошибка в ПЗУ
39 F engineer        внутренняя ошибка ПО ККТ
3A S close_shift     переполнение накопления по надбавкам в смене
3B S close_shift     переполнение накопления в смене
3C S shift_is_open   смена открыта, операция невозможна
3D S open_shift      смена не открыта, операция невозможна
3E S close_shift     переполнение накопления по секциям в смене
3F S close_shift     переполнение накопления по скидкам в смене
40 C data            переполнение диапазона скидок
41 C payments        переполнение диапазона оплаты наличными
42 C payments        переполнение диапазона оплаты типом 2
43 C payments        переполнение диапазона оплаты типом 3
44 C payments        переполнение диапазона оплаты типом 4
45 C payments        сумма всех оплат меньше итога чека
46 S cash            не хватает наличности в кассе
47 S close_shift     переполнение накопления по налогам в смене
48 C data            переполнение итога чека
49 S cancel_receipt  операция невозможна в открытом чеке данного типа
4A S cancel_receipt  открыт чек, операция невозможна
4B S data            буфер чека переполнен
4C S close_shift     переполнение накопления по обороту налогов в смене
4D C payments        безналичная сумма больше суммы чека
4E S close_shift     смена превысила 24 часа
4F C password        неверный пароль
50 T busy            идёт печать предыдущей команды
51 S close_shift     переполнение накоплений наличными в смене
52 S close_shift     переполнение накоплений по типу оплаты 2 в смене
53 S close_shift     переполнение накоплений по типу оплаты 3 в смене
54 S close_shift     переполнение накоплений по типу оплаты 4 в смене
55 S engineer        чек закрыт, операция невозможна
56 S nothing_to_copy нет документа для повтора
57 F engineer        количество закрытых смен не совпадает
58 T continue        ожидание команды продолжения печати
59 S cancel_receipt  документ открыт другим оператором
5A C data            скидка превышает накопления в чеке
5B C data            переполнение диапазона надбавок
5C O power           понижено напряжение питания принтера
5D C setup           таблица не определена
5E C setup           неверная операция
5F C data            отрицательный итог чека
60 C data            переполнение при умножении
61 C data            переполнение диапазона цены
62 C data            переполнение диапазона количества
63 C data            переполнение диапазона отдела
64 F fn_failed       фискальный накопитель отсутствует
65 S cash            не хватает денег в секции
66 S close_shift     переполнение денег в секции
67 F fn_failed       ошибка связи с фискальным накопителем
68 S cash            не хватает денег по обороту налогов
69 S close_shift     переполнение денег по обороту налогов
6A T power           ошибка питания в момент ответа
6B O paper           нет чековой ленты
6C O paper           нет контрольной ленты
6D S cash            не хватает денег по налогу
6E S close_shift     переполнение денег по налогу
6F S close_shift     переполнение по выплате в смене
70 F fn_failed       переполнение фискальной памяти
71 O cutter          ошибка отрезчика
72 T busy            команда не поддерживается в данном подрежиме
73 S engineer        команда не поддерживается в данном режиме
74 F engineer        ошибка ОЗУ
75 F power           ошибка питания
76 O engineer        принтер: нет импульсов с тахогенератора
77 O engineer        принтер: нет сигнала с датчиков
78 F engineer        замена ПО
79 F engineer        замена фискального накопителя или ошибка часов
7A C setup           поле не редактируется
7B F engineer        ошибка оборудования
7C C clock           не совпадает дата
7D C clock           неверный формат даты
7E C setup           неверное значение в поле длины
7F C data            переполнение диапазона итога чека
84 S close_shift     переполнение наличности
85 S close_shift     переполнение по продажам в смене
86 S close_shift     переполнение по покупкам в смене
87 S close_shift     переполнение по возвратам продаж в смене
88 S close_shift     переполнение по возвратам покупок в смене
89 S close_shift     переполнение по внесениям в смене
8A C data            переполнение по надбавкам в чеке
8B C data            переполнение по скидкам в чеке
8C C data            отрицательный итог надбавки в чеке
8D C data            отрицательный итог скидки в чеке
8E C data            нулевой итог чека
8F C setup           касса не фискализирована
90 C data            поле превышает размер, установленный в настройках
91 C data            выход за границу поля печати
92 C data            наложение полей при печати
93 T busy            восстановление ОЗУ прошло успешно
94 S data            исчерпан лимит операций в чеке
96 S close_shift     выполните отчёт о закрытии смены
9B C setup           некорректное действие
9C C setup           товар не найден в базе ККТ
9D C setup           неверные данные товара в базе ККТ
9E C setup           неверный размер базы товаров ККТ
A0 C marking_setup   ККТ не зарегистрирована для маркированных товаров
A1 S marking         неверная последовательность команд маркировки
A2 S marking_blocked работа с маркированными товарами временно заблокирована
A3 S marking         переполнена таблица проверки кодов маркировки
A4 C marking         нет обязательных реквизитов маркировки
A5 S marking         код маркировки не проверен в ФН
AA C marking         нет обязательных реквизитов маркировки
AC S marking         код маркировки не проверен в ФН
BE S engineer        команда не поддерживается в текущем состоянии
C0 O clock           подтвердите дату и время
C2 O power           превышение напряжения блока питания
C4 F engineer        несовпадение номеров смен
C5 O paper           буфер подкладного документа пуст
C6 O paper           подкладной документ отсутствует
C7 C setup           поле не редактируется в данном режиме
C8 O power           нет связи с печатающим устройством
C9 T cooling         перегрев печатающей головки
CA T cooling         температура вне условий эксплуатации
CB C data            неверный подытог чека
CE F engineer        объём памяти ККТ исчерпан
CF O clock           неверная дата: часы сброшены
D1 S engineer        нет документов в буфере
D2 T link            модем не работает
D3 S marking         товар не произведён или выбыл
D4 S marking         код маркировки фальсифицирован
D5 S marking         ошибка аутентификации кода маркировки
"""


def _parse(row: str) -> DeviceError:
    code, kind, remedy, text = row.split(maxsplit=3)
    return DeviceError(int(code, 16), text, Class(kind), remedy)


ERRORS: Final = {error.code: error for error in map(_parse, _ROWS.strip().splitlines())}


def explain(code: int) -> DeviceError:
    """The row of `code`; an unknown one is for the engineer and not worth repeating."""
    return ERRORS.get(code) or DeviceError(
        code, f"неизвестная ошибка {code:02X}h", Class.FATAL, "engineer"
    )
