"""The upkeep of the database, built and joined: what one worker does besides all sales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from kktd import wiring
from kktd.clock import Clock
from kktd.config import Settings
from kktd.errors import NotNow
from kktd.store.store import Store
from kktd.upkeep.backup import Backup
from kktd.upkeep.check import NightCheck
from kktd.upkeep.checkpoint import Checkpointer
from kktd.upkeep.disk import DiskWatch
from kktd.upkeep.retention import Retention
from kktd.upkeep.salvage import SalvageWatch

MAINS_LOOK_S: Final = 60.0


class Keeping:
    """Of one database.  `stamped_s`: the hybrid clock's last stamp.

    `on_battery`: what can wait for the mains does.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Store,
        stamped_s: Callable[[], int],
        on_battery: Callable[[], bool],
    ) -> None:
        self._on_battery = on_battery
        self._checkpointer = Checkpointer(store)
        self._retention = Retention(clock, store, stamped_s, has_odoo=bool(settings.odoo.url))
        self.disk = DiskWatch(clock, store, Path(settings.till.state_dir))
        file = settings.till.state_dir / "kktd.db"
        self.backup = Backup(
            clock, store, file, settings.till.pos_ids[0], wiring.backup_rules(settings)
        )
        self._check = NightCheck(clock, store, settings.zone, settings.backup.at, self._note_damage)
        self.salvage = SalvageWatch(clock, store, tuple(settings.lanes))
        self.damaged = False  # the daemon has to start anew

    def step(self, now_s: float) -> float:
        """Short steps, one after the other; when the next is due (monotonic s)."""
        steps = [self.salvage.step, self.disk.step, self._checkpointer.step]
        if not self._on_battery():
            steps.append(self._retention.step)
        return wiring.together(*steps)(now_s)

    def night_step(self, now_s: float) -> float:
        """What takes longer, in a worker of its own."""
        if self._on_battery():
            return now_s + MAINS_LOOK_S
        return wiring.together(self._check.step, self.backup.step)(now_s)

    def _note_damage(self) -> None:
        self.damaged = True

    def bar(self) -> NotNow | None:
        """What keeps the whole box from selling, with what to do; None: nothing of the disk."""
        return self.salvage.bar() or self.disk.bar()
