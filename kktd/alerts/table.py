"""Every alert, once: when it is so, how long before somebody hears, how loud, what to do.

Source: §5.8 and contract 4.  `fleet/prometheus/rules.yml` is made from this table (rules.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Facts:
    """The till at one moment, as far as alerts read it.  Ages and intervals in seconds."""

    queued: int
    percent_full: float
    dlq: int
    held: int
    unsent_s: float
    circuit_closed: bool
    sync_running_s: float
    ofd_stopped: bool
    ofd_throttled: bool
    disk_failed: bool
    capacity_raised: bool
    printer_remedy: str | None
    fn_ended: bool
    shift_age_s: float
    drift_s: float | None
    odoo_silent_s: float | None
    mismatched: bool = False
    on_battery: bool = False
    disk_percent: float = 0.0
    backup_failed: bool = False
    printer_set_otherwise: bool = False
    fn_documents_left: int | None = None
    fn_days_left: float | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One row.  It is raised after `hold_s` of `when`; `procedure` is the runbook's.

    `expr` says the same to Prometheus; without one the till's own word, `kkt_alert`, has to do.
    """

    name: str
    level: str  # P1 now, P2 today, P3 when there is time
    hold_s: float
    when: Callable[[Facts], bool]
    ru: str
    en: str
    procedure: str = ""
    expr: str = ""


def _less(value: float | None, limit: float) -> bool:
    return value is not None and value < limit


ALERTS: Final = (
    Alert(
        "OfflineBufferFull",
        "P1",
        MINUTE_S,
        lambda now: now.percent_full >= 100,
        "Офлайн-буфер переполнен, касса не продаёт: проверьте интернет, отправьте чеки вручную.",
        "The offline buffer is full, the till sells nothing: check the network, force a sync.",
        "A.1",
        expr="kkt_buffer_percent_full >= 100",
    ),
    Alert(
        "DiskFailed",
        "P1",
        0,
        lambda now: now.disk_failed,
        "Диск кассы не принимает записи: вызовите инженера.",
        "The till's disk takes no writes: call an engineer.",
    ),
    Alert(
        "FnEnded",
        "P1",
        0,
        lambda now: now.fn_ended,
        "ФН заполнен или его срок закончился: замените ФН.",
        "The FN is full or has expired: replace it.",
    ),
    Alert(
        "FnEnding",
        "P1",
        0,
        lambda now: _less(now.fn_documents_left, 100) or _less(now.fn_days_left, 3),
        "В ФН осталось меньше 100 документов или 3 дней: замените ФН сегодня.",
        "The FN has less than 100 documents or 3 days left: replace it today.",
        expr="kkt_fn_documents_left < 100 or kkt_fn_expires_timestamp_seconds - time() < 3 * 86400",
    ),
    Alert(
        "UnsentTooLong",
        "P1",
        0,
        lambda now: now.unsent_s > 20 * DAY_S,
        "Чеки не уходят в ОФД больше 20 дней, на 30-й ФН заблокируется: вызовите инженера.",
        "Nothing reached the OFD for 20 days, at 30 the FN locks: call an engineer.",
        "A.1",
        expr="kkt_oldest_unsent_seconds > 20 * 86400",
    ),
    Alert(
        "OfdKeyRefused",
        "P1",
        0,
        lambda now: now.ofd_stopped,
        "ОФД не принимает ключ кассы: обновите ключ.",
        "The OFD does not take the till's key: renew it.",
        "A.5",
    ),
    Alert(
        "PrinterError",
        "P1",
        MINUTE_S,
        lambda now: now.printer_remedy is not None and now.printer_remedy != "paper",
        "ККТ не принимает чеки: посмотрите её состояние и выполните подсказку на экране.",
        "The printer takes no receipts: look at its state and do what the screen says.",
        "A.3",
    ),
    Alert(
        "SyncTooSlow",
        "P1",
        0,
        lambda now: now.sync_running_s > 20 * MINUTE_S,
        "Отправка в ОФД длится больше 20 минут: проверьте канал до ОФД, повторите отправку.",
        "A sync has run for over 20 minutes: check the uplink, start it again.",
        "A.1",
        expr="kkt_sync_running_seconds > 1200",
    ),
    Alert(
        "FnReplaceSoon",
        "P2",
        0,
        lambda now: _less(now.fn_days_left, 30),
        "До конца срока ФН меньше 30 дней: запланируйте замену.",
        "The FN ends in less than 30 days: plan its replacement.",
        expr="kkt_fn_expires_timestamp_seconds - time() < 30 * 86400",
    ),
    Alert(
        "OfflineBuffer90",
        "P2",
        5 * MINUTE_S,
        lambda now: 90 <= now.percent_full < 100,
        "Офлайн-буфер заполнен на 90 %: проверьте интернет и сообщите в поддержку.",
        "The offline buffer is 90 % full: check the network, call support.",
        "A.1",
        expr="kkt_buffer_percent_full >= 90 and kkt_buffer_percent_full < 100",
    ),
    Alert(
        "OfflineBufferWarning",
        "P2",
        5 * MINUTE_S,
        lambda now: 80 <= now.percent_full < 90,
        "Офлайн-буфер заполнен на 80 %: проверьте интернет.",
        "The offline buffer is 80 % full: check the network.",
        "A.1",
        expr="kkt_buffer_percent_full >= 80 and kkt_buffer_percent_full < 90",
    ),
    Alert(
        "Unsent8Hours",
        "P2",
        0,
        lambda now: 8 * HOUR_S < now.unsent_s <= 20 * DAY_S,
        "Чеки не уходят в ОФД больше 8 часов: проверьте интернет.",
        "Nothing reached the OFD for 8 hours: check the network.",
        "A.1",
        expr="kkt_oldest_unsent_seconds > 8 * 3600 and kkt_oldest_unsent_seconds <= 20 * 86400",
    ),
    Alert(
        "CircuitBreakerOpen",
        "P2",
        5 * MINUTE_S,
        lambda now: not now.circuit_closed,
        "ОФД недоступен, чеки хранятся и уйдут сами: проверьте интернет.",
        "The OFD cannot be reached, receipts are kept and leave by themselves: check the network.",
        "A.5",
        expr="kkt_circuit_breaker_state != 0",
    ),
    Alert(
        "OfdThrottled",
        "P2",
        5 * MINUTE_S,
        lambda now: now.ofd_throttled,
        "ОФД просит слать реже: чеки уходят медленнее, ничего не потеряно. "
        "Если так каждый день, попросите у провайдера больший лимит.",
        "The OFD asks for fewer requests: receipts leave more slowly, nothing is lost. "
        "If it goes on for days, ask the provider for a higher limit.",
        "A.5",
    ),
    Alert(
        "DLQBacklog",
        "P2",
        HOUR_S,
        lambda now: now.dlq > 10,
        "ОФД не принял больше 10 чеков: разберите очередь DLQ.",
        "The OFD refused more than 10 receipts: work through the DLQ.",
        expr="kkt_dlq_size > 10",
    ),
    Alert(
        "HLCDriftHigh",
        "P2",
        15 * MINUTE_S,
        lambda now: now.drift_s is not None and abs(now.drift_s) > 10,
        "Часы кассы расходятся с сервером больше чем на 10 секунд: проверьте NTP.",
        "The till's clock is over 10 seconds off the server's: check NTP.",
        expr="abs(kkt_hlc_drift_seconds) > 10",
    ),
    Alert(
        "OdooSilent",
        "P2",
        0,
        lambda now: now.odoo_silent_s is not None and now.odoo_silent_s > 5 * MINUTE_S,
        "Odoo не отвечает больше 5 минут: касса продаёт, события хранятся. Проверьте сервер.",
        "Odoo has been silent for 5 minutes: the till sells, events are kept. Check the server.",
        expr="kkt_heartbeat_age_seconds > 300",
    ),
    Alert(
        "ShiftTooOld",
        "P2",
        0,
        lambda now: now.shift_age_s > 23 * HOUR_S,
        "Смена открыта больше 23 часов: закройте её (Z-отчёт), после 24 часов продажи остановятся.",
        "The shift is older than 23 hours: close it (Z-report), at 24 sales stop.",
        expr="kkt_shift_age_seconds > 23 * 3600",
    ),
    Alert(
        "BalanceMismatch",
        "P2",
        0,
        lambda now: now.mismatched,
        "Суммы смены не сходятся с её операциями: сверьте наличные с X-отчётом, вызовите инженера.",
        "The shift's sums and its movements differ: compare the cash with an X-report, "
        "call an engineer.",
    ),
    Alert(
        "OnBattery",
        "P2",
        0,
        lambda now: now.on_battery,
        "Касса работает от батареи: проверьте питание.",
        "The till runs on battery: check the mains.",
        expr="kkt_power_on_battery == 1",
    ),
    Alert(
        "DiskAlmostFull",
        "P2",
        0,
        lambda now: now.disk_percent > 80,
        "Диск кассы заполнен больше чем на 80 %, касса не продаёт: вызовите инженера.",
        "The till's disk is over 80 % full, no sales: call an engineer.",
        expr="kkt_disk_percent > 80",
    ),
    Alert(
        "PrinterSetOtherwise",
        "P2",
        0,
        lambda now: now.printer_set_otherwise,
        "ККТ зарегистрирована не так, как сказано в настройках: сверьте [printer] ffd с форматом "
        "ФД и [organisation] inn с ИНН (kktctl printer show).",
        "The printer is registered otherwise than the settings say: compare [printer] ffd with "
        "its format and [organisation] inn with its INN (kktctl printer show).",
    ),
    Alert(
        "BackupFailed",
        "P3",
        DAY_S,
        lambda now: now.backup_failed,
        "Копия базы кассы не удаётся больше суток: проверьте флешку или сервер копий.",
        "No copy of the till's database for a day: check the stick or the server of copies.",
    ),
    Alert(
        "DiskFilling",
        "P3",
        0,
        lambda now: 70 < now.disk_percent <= 80,
        "Диск кассы заполнен больше чем на 70 %: запланируйте визит инженера.",
        "The till's disk is over 70 % full: plan a visit of an engineer.",
        expr="kkt_disk_percent > 70 and kkt_disk_percent <= 80",
    ),
    Alert(
        "DLQ",
        "P3",
        0,
        lambda now: now.dlq > 0,
        "ОФД не принял некоторые чеки: вызовите инженера.",
        "The OFD did not take some receipts: call an engineer.",
        expr="kkt_dlq_size > 0",
    ),
    Alert(
        "CapacityRaised",
        "P3",
        0,
        lambda now: now.capacity_raised,
        "Буфер увеличен на время и остаётся таким больше 4 часов: восстановите связь "
        "и верните capacity.",
        "The buffer was made larger for a time and has been for 4 hours: mend the uplink, "
        "then set capacity back.",
        "A.1",
    ),
    Alert(
        "Unsent4Hours",
        "P3",
        0,
        lambda now: 4 * HOUR_S < now.unsent_s <= 8 * HOUR_S,
        "Чеки не уходят в ОФД больше 4 часов: проверьте интернет.",
        "Nothing reached the OFD for 4 hours: check the network.",
        "A.1",
        expr="kkt_oldest_unsent_seconds > 4 * 3600 and kkt_oldest_unsent_seconds <= 8 * 3600",
    ),
    Alert(
        "HeldReceipts",
        "P3",
        0,
        lambda now: now.held > 0,
        "Есть ненапечатанные чеки: напечатайте их или отмените.",
        "Some receipts were not printed: print or cancel them.",
    ),
)


def firing(now: Facts) -> list[Alert]:
    """Every row that is so now, held or not, the loudest first."""
    return [alert for alert in ALERTS if alert.when(now)]
