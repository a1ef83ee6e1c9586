"""What happened, as a person reads it: one sentence for each stored event, then its facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kktd.api.messages import Language, Pair

# By the name in `buffer_events` (events.py).
SENTENCES: Final[Mapping[str, Pair]] = {
    "receipt_added": ("Чек принят в буфер.", "A receipt was taken into the buffer."),
    "buffer_full": ("Буфер полон, продажи закрыты.", "The buffer is full, no sales."),
    "receipt_held": (
        "Чек ждёт решения: напечатать или отменить.",
        "A receipt waits for a person: print or cancel it.",
    ),
    "receipt_cancelled": ("Чек отменён до печати.", "A receipt was cancelled before printing."),
    "receipt_registered": ("Чек пробит, он в ФН.", "A receipt is registered, the FN holds it."),
    "receipt_refused": ("ККТ отказала, чек не пробит.", "The printer refused a receipt."),
    "receipt_in_doubt": (
        "Ответ ККТ потерян, судьба чека выясняется.",
        "The printer's answer was lost, the receipt is being checked.",
    ),
    "receipt_settled": ("Судьба чека выяснена.", "It is known what became of the receipt."),
    "receipt_doubt_asks": (
        "Судьбу чека касса выяснить не может: нужен инженер.",
        "The till cannot find out what became of a receipt: an engineer is needed.",
    ),
    "receipt_copied": ("Напечатана копия чека.", "A copy of a receipt was printed."),
    "printer_connected": ("ККТ на связи.", "The printer answers."),
    "printer_lost": ("ККТ не отвечает.", "The printer does not answer."),
    "printer_strange": (
        "Отвечает другая ККТ или другой ФН, документы не отправляются.",
        "Another printer or FN answers, nothing is sent to it.",
    ),
    "printer_accepted": ("ККТ и её ФН приняты.", "The printer and its FN were accepted."),
    "printer_clock_off": (
        "Часы ККТ и кассы расходятся больше чем на 5 минут: закройте смену и выполните "
        "kktctl printer clock set.",
        "The printer's clock is over 5 minutes off: close the shift, then "
        "kktctl printer clock set.",
    ),
    "printer_clock_set": ("Часы ККТ установлены.", "The printer's clock was set."),
    "printer_table_written": (
        "Изменена настройка в таблицах ККТ.",
        "A setting in the printer's tables was changed.",
    ),
    "shift_opened": ("Смена открыта.", "The shift was opened."),
    "shift_closed": ("Смена закрыта.", "The shift was closed."),
    "shift_old": (
        "Смена открыта больше 23 часов: закройте её (Z-отчёт).",
        "The shift has been open for over 23 hours: close it (Z-report).",
    ),
    "shift_operation_refused": (
        "ККТ отказала в операции со сменой.",
        "The printer refused an operation of the shift.",
    ),
    "shift_operation_in_doubt": (
        "Ответ ККТ об операции со сменой потерян, выясняется.",
        "The printer's answer about the shift was lost, it is being checked.",
    ),
    "session_restored": ("Открытая смена найдена после пуска.", "An open shift was found again."),
    "balance_mismatch": (
        "Суммы кассы и ККТ не сходятся.",
        "The till's sums and the printer's do not agree.",
    ),
    "circuit_opened": (
        "ОФД не отвечает, отправка приостановлена.",
        "The OFD does not answer, sending pauses.",
    ),
    "circuit_closed": ("ОФД снова отвечает.", "The OFD answers again."),
    "ofd_throttled": (
        "ОФД просит слать реже, чеки уходят медленнее.",
        "The OFD asks for fewer requests, receipts leave more slowly.",
    ),
    "ofd_stopped": (
        "ОФД не принимает ключ кассы: обновите ключ.",
        "The OFD does not take the till's key: renew it.",
    ),
    "receipt_synced": ("Чек доставлен в ОФД.", "A receipt reached the OFD."),
    "receipt_failed": (
        "ОФД не принял чек, он отложен в DLQ.",
        "The OFD did not take a receipt, it is in the DLQ.",
    ),
    "dlq_retried": ("Чек возвращён из DLQ в очередь.", "A receipt left the DLQ for the queue."),
    "dlq_resolved": ("Запись DLQ закрыта человеком.", "A person closed a row of the DLQ."),
    "alert_sent": ("Оповещение отправлено.", "An alert was raised."),
    "alert_resolved": ("Причина оповещения устранена.", "What an alert was raised for is over."),
    "odoo_event_refused": (
        "Odoo не приняла событие кассы: сообщите администратору Odoo.",
        "Odoo refused an event of this till: tell its administrator.",
    ),
    "sync_started": ("Отправка начата.", "A sync began."),
    "sync_completed": ("Отправка закончена.", "A sync ended."),
    "network_mode_change": ("Режим связи изменился.", "The network mode changed."),
    "maintenance_started": (
        "Касса на обслуживании, продажи закрыты.",
        "The till is in maintenance, no sales.",
    ),
    "maintenance_finished": ("Обслуживание закончено.", "The maintenance ended."),
    "cash_paid_in": ("Внесены наличные.", "Cash was paid in."),
    "cash_paid_out": ("Выплачены наличные.", "Cash was paid out."),
    "x_report_printed": ("Снят X-отчёт.", "An X-report was printed."),
    "drawer_opened": ("Открыт денежный ящик.", "The drawer was opened."),
    "buffer_capacity_reminder": (
        "Ёмкость буфера увеличена: не забудьте вернуть.",
        "The buffer's capacity was raised: remember to lower it again.",
    ),
    "store_salvaged": (
        "База кассы была повреждена: старый файл отложен, читаемое перенесено.",
        "The database was damaged: the old file is set aside, what reads was kept.",
    ),
    "salvage_counted": (
        "База сверена с ФН после повреждения.",
        "The database was compared with the FN after the damage.",
    ),
    "salvage_confirmed": (
        "Повреждение базы подтверждено, продажи открыты.",
        "The damage was seen by a person, sales are open.",
    ),
    "backup_done": ("Копия базы сделана и проверена.", "A copy was made and checked."),
    "backup_failed": ("Копия базы не удалась.", "No copy of the database could be made."),
    "disk_filled": (
        "Диск кассы почти заполнен, продажи закрыты.",
        "The till's disk is nearly full, no sales.",
    ),
    "disk_has_room": ("На диске кассы снова есть место.", "The till's disk has room again."),
    "history_trimmed": ("Старые записи удалены.", "Old rows were deleted."),
    "power_changed": ("Питание кассы изменилось.", "The till's power changed."),
    "ups_trouble": (
        "ИБП нездоров: проверьте его кабель и батарею.",
        "Trouble with the UPS: check its cable and battery.",
    ),
    "ups_mended": ("ИБП снова в порядке.", "The UPS is well again."),
    "settings_applied": ("Применены новые настройки.", "New settings apply."),
    "settings_refused": (
        "Файл настроек не принят, действуют прежние.",
        "The settings file was refused, the old ones apply.",
    ),
    "settings_need_restart": (
        "Часть настроек подействует после перезапуска.",
        "Some settings want a restart.",
    ),
    "ofd_token_changed": ("Ключ ОФД заменён.", "The OFD's key was changed."),
    "token_created": ("Создан токен.", "A token was made."),
    "person_asked": ("Команда человека.", "A person asked for something."),
    "pairing_offered": ("Показан код подключения.", "A pairing code was shown."),
    "token_revoked": ("Токен отозван.", "A token was revoked."),
    "daemon_started": ("Программа кассы запущена.", "The till's daemon started."),
    "daemon_stopping": ("Программа кассы останавливается.", "The till's daemon stops."),
}


def event_sentence(event: str, facts: Mapping[str, Any], language: Language) -> str:
    """The sentence, then the facts in brackets; an event of a newer release says its name."""
    pair = SENTENCES.get(event)
    said = event if pair is None else pair[0 if language is Language.RU else 1]
    shown = [f"{name}: {_text(value)}" for name, value in facts.items() if value not in (None, "")]
    return f"{said} ({', '.join(shown)})" if shown else said


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
