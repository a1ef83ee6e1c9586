"""What the till remembers of its updates: a small file that root writes and the daemon reads.

It lies on the state partition, which both versions share; a damaged one counts as none.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path("/var/lib/kktd-update")
STATE: Final = FOLDER / "state.json"
TEXT_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Pending:
    """Installed in the other slot, not proven yet.  `boot_id` is of the boot that installed it."""

    version: str
    boot_id: str
    since_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """What was wrong with `version`; `reason` is a name of reasons.FAILURES, `detail` English."""

    version: str
    reason: str
    detail: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """An installation under way.  `percent` of the bytes, 0..100."""

    version: str
    percent: int
    at_s: float


@dataclass(frozen=True, slots=True)
class UpdateState:
    pending: Pending | None = None
    failure: Failure | None = None  # the last check that failed
    rejected: Failure | None = None  # the till went back from this version
    progress: Progress | None = None

    def settle(self, running: str, boot_id: str, now_s: float) -> UpdateState:
        """As seen from a boot of `running`: a version that was to boot and did not is rejected."""
        pending, why = self.pending, self.failure
        if why is not None and why.version != running:
            return UpdateState(rejected=why)
        if pending is None or pending.version == running or pending.boot_id == boot_id:
            return self
        return UpdateState(rejected=Failure(pending.version, "no_boot", "", now_s))

    def prove(self, running: str) -> UpdateState:
        """`running` passed its check."""
        known = self.rejected
        return UpdateState(rejected=known if known and known.version != running else None)

    def fail(self, failure: Failure) -> UpdateState:
        return replace(self, failure=replace(failure, detail=failure.detail[:TEXT_MAX]))


def load(file: Path = STATE) -> UpdateState:
    """Nothing where there is no file, or none that can be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return UpdateState(
            _part(Pending, found, "pending"),
            _part(Failure, found, "failure"),
            _part(Failure, found, "rejected"),
            _part(Progress, found, "progress"),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return UpdateState()


def save(state: UpdateState, file: Path = STATE) -> None:
    """Whole or not at all, on disk when it returns; raises OSError."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w") as output:
        json.dump(asdict(state), output)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Names made or changed in it are on disk when it returns."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _part(kind: Any, found: dict[str, Any], name: str) -> Any:
    one = found.get(name)
    return None if one is None else kind(**one)
