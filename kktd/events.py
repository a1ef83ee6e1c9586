"""Every event of the log, once: name (§5.6), usual level, name in `buffer_events` (§5.3)."""

from __future__ import annotations

from enum import Enum


class Event(Enum):
    """`(name in the log, level, name in buffer_events or None when it is not kept)`."""

    RECEIPT_CREATE = ("receipt_create", "INFO", None)
    BUFFER_INSERT = ("buffer_insert", "INFO", "receipt_added")
    BUFFER_FULL = ("buffer_full", "CRITICAL", "buffer_full")
    RECEIPT_HELD = ("receipt_held", "WARN", "receipt_held")
    RECEIPT_CANCELLED = ("receipt_cancelled", "INFO", "receipt_cancelled")
    KKT_PRINT_START = ("kkt_print_start", "INFO", None)
    KKT_PRINT_SUCCESS = ("kkt_print_success", "INFO", "receipt_registered")
    KKT_PAPER_FINISHED = ("kkt_paper_finished", "INFO", None)
    KKT_PRINT_REFUSED = ("kkt_print_refused", "ERROR", "receipt_refused")
    KKT_NOT_READY = ("kkt_not_ready", "WARN", None)
    KKT_IN_DOUBT = ("kkt_in_doubt", "WARN", "receipt_in_doubt")
    KKT_DOUBT_SETTLED = ("kkt_doubt_settled", "INFO", "receipt_settled")
    KKT_DOUBT_ASKS = ("kkt_doubt_asks", "ERROR", "receipt_doubt_asks")
    KKT_COPY_PRINTED = ("kkt_copy_printed", "INFO", "receipt_copied")
    PRINTER_CONNECTED = ("printer_connected", "INFO", "printer_connected")
    PRINTER_LOST = ("printer_lost", "ERROR", "printer_lost")
    SHIFT_OPENED = ("shift_opened", "INFO", "shift_opened")
    SHIFT_CLOSED = ("shift_closed", "INFO", "shift_closed")
    SHIFT_OPERATION_REFUSED = ("shift_operation_refused", "ERROR", "shift_operation_refused")
    SHIFT_OPERATION_IN_DOUBT = ("shift_operation_in_doubt", "WARN", "shift_operation_in_doubt")
    CASH_PAID_IN = ("cash_paid_in", "INFO", "cash_paid_in")
    CASH_PAID_OUT = ("cash_paid_out", "INFO", "cash_paid_out")
    X_REPORT_PRINTED = ("x_report_printed", "INFO", "x_report_printed")
    DRAWER_OPENED = ("drawer_opened", "INFO", "drawer_opened")
    SESSION_RESTORED = ("session_restored", "INFO", "session_restored")
    SESSION_MISSING = ("session_missing", "WARN", None)
    SESSION_RECONCILED = ("session_reconciled", "INFO", None)
    BALANCE_MISMATCH = ("balance_mismatch", "ERROR", "balance_mismatch")
    CIRCUIT_CHECK = ("circuit_check", "INFO", None)
    CIRCUIT_OPENED = ("circuit_breaker_opened", "CRITICAL", "circuit_opened")
    CIRCUIT_HALF_OPEN = ("circuit_breaker_half_open", "INFO", None)
    CIRCUIT_CLOSED = ("circuit_breaker_closed", "INFO", "circuit_closed")
    OFD_SEND_START = ("ofd_send_start", "INFO", None)
    OFD_SEND_SUCCESS = ("ofd_send_success", "INFO", None)
    OFD_SEND_FAILED = ("ofd_send_failed", "ERROR", None)
    OFD_STOPPED = ("ofd_stopped", "CRITICAL", "ofd_stopped")
    RECEIPT_SYNCED = ("receipt_synced", "INFO", "receipt_synced")
    RECEIPT_FAILED = ("receipt_failed", "CRITICAL", "receipt_failed")
    DLQ_RETRIED = ("dlq_retried", "INFO", "dlq_retried")
    DLQ_RESOLVED = ("dlq_resolved", "INFO", "dlq_resolved")
    SYNC_START = ("sync_start", "INFO", "sync_started")
    SYNC_COMPLETE = ("sync_complete", "INFO", "sync_completed")
    SYNC_REJECTED = ("sync_rejected", "INFO", None)
    SYNC_LOCK_ACQUIRED = ("sync_lock_acquired", "INFO", None)
    SYNC_LOCK_CONFLICT = ("sync_lock_conflict", "WARN", None)
    SYNC_LOCK_RELEASED = ("sync_lock_released", "INFO", None)
    NETWORK_MODE_CHANGE = ("network_mode_change", "WARN", "network_mode_change")
    MAINTENANCE_STARTED = ("maintenance_started", "WARN", "maintenance_started")
    MAINTENANCE_FINISHED = ("maintenance_finished", "INFO", "maintenance_finished")
    TOKEN_CREATED = ("token_created", "INFO", "token_created")
    TOKEN_REVOKED = ("token_revoked", "INFO", "token_revoked")
    REQUEST_FAILED = ("request_failed", "ERROR", None)
    LIBRARY_FAILED = ("library_failed", "ERROR", None)
    WORKER_FAILED = ("worker_failed", "ERROR", None)
    STORE_FAILED = ("store_failed", "CRITICAL", None)
    BUFFER_CAPACITY_REMINDER = ("buffer_capacity_reminder", "WARN", "buffer_capacity_reminder")
    SETTINGS_APPLIED = ("settings_applied", "INFO", "settings_applied")
    SETTINGS_REFUSED = ("settings_refused", "ERROR", "settings_refused")
    SETTINGS_NEED_RESTART = ("settings_need_restart", "WARN", "settings_need_restart")
    SETTINGS_UNWATCHED = ("settings_unwatched", "WARN", None)
    OFD_TOKEN_CHANGED = ("ofd_token_changed", "INFO", "ofd_token_changed")
    DAEMON_STARTED = ("daemon_started", "INFO", "daemon_started")
    DAEMON_STOPPING = ("daemon_stopping", "INFO", "daemon_stopping")
    DAEMON_REFUSED = ("daemon_refused", "CRITICAL", None)

    def __init__(self, log_name: str, level: str, stored_name: str | None) -> None:
        self.log_name = log_name
        self.level = level
        self.stored_name = stored_name
