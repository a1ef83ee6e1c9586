"""A till gets its settings: from a folder on the ESP or a stick onto the state partition.

The folder holds `kktd.toml` and `secrets/`.  It is checked as `kktctl config check` does and taken
whole or not at all; what was taken is wiped from the folder.  Each step leaves a state from which
the next boot goes on, and taking the same folder twice changes nothing.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kktd.config import Settings
from kktd.errors import BadConfig
from kktd.settings_file import parse, require_complete
from kktd.settings_table import rules, value_of

SETTINGS: Final = "kktd.toml"
SECRETS: Final = "secrets"
ON_TILL: Final = Path("/etc/kktd")  # as the settings name it
SECRET_NAME: Final = re.compile(r"[\w.-]{1,64}")
SECRET_BYTES_MAX: Final = 65_536
SETTINGS_BYTES_MAX: Final = 262_144


@dataclass(frozen=True, slots=True)
class Place:
    """Where the till keeps its settings; `group` may read them, None leaves it as it is."""

    folder: Path = ON_TILL
    group: str | None = "kktd"


def take(source: Path, place: Place) -> Settings | None:
    """Take what lies in `source`; None where nothing does.

    Raises BadConfig with line or key and the reason: then nothing was taken and nothing wiped.
    OSError of a stick that is read-only or full: what was taken stays, and is taken again.
    """
    file = source / SETTINGS
    if not file.is_file():
        return None
    text = _text_of(file)
    settings = parse(text)
    require_complete(settings)
    secrets = _secrets_in(source)
    _check_secrets(settings, secrets, place)
    folder = place.folder / SECRETS
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o750)
    _give(folder, place.group)
    for name, secret in secrets.items():
        _store(folder / name, secret, place.group)
    _store(place.folder / SETTINGS, text.encode(), place.group)  # last: now the till is provisioned
    _wipe(source)
    return settings


def host_name(settings: Settings) -> str:
    """POS-001 is pos-001.local: what DNS allows of the first till's name."""
    name = re.sub(r"[^a-z0-9-]+", "-", settings.till.pos_ids[0].lower()).strip("-")
    return name[:63] or "till"


def _text_of(file: Path) -> str:
    if file.stat().st_size > SETTINGS_BYTES_MAX:
        raise BadConfig("the settings are too long", path=str(file))
    try:
        return file.read_text(encoding="utf-8-sig")  # editors of other systems begin with a mark
    except UnicodeDecodeError as error:
        raise BadConfig("the settings are not UTF-8", path=str(file), reason=str(error)) from error


def _secrets_in(source: Path) -> dict[str, bytes]:
    folder = source / SECRETS
    found: dict[str, bytes] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not SECRET_NAME.fullmatch(file.name) or not file.is_file():
            raise BadConfig("not a secret", path=str(file), reason="a file with a plain name")
        if file.stat().st_size > SECRET_BYTES_MAX:
            raise BadConfig("the secret is too long", path=str(file))
        found[file.name] = file.read_bytes()
    return found


def _check_secrets(settings: Settings, secrets: dict[str, bytes], place: Place) -> None:
    """Every file of a secret that the settings name comes with them or is on the till already."""
    for key, _ in rules():
        value = value_of(settings, key)
        if not key.endswith("token_file") or not value:
            continue
        file = Path(value)
        if file.parent != ON_TILL / SECRETS:
            raise BadConfig("a secret's place on the till", key=key, reason=f"{ON_TILL / SECRETS}/")
        if file.name not in secrets and not (place.folder / SECRETS / file.name).is_file():
            raise BadConfig("the secret is missing", key=key, reason=f"{SECRETS}/{file.name}")


def _store(file: Path, content: bytes, group: str | None) -> None:
    """Whole or not at all, also when the power goes."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as output:
        os.fchmod(output.fileno(), 0o640)  # whatever the umask: the daemon reads it by its group
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    _give(draft, group)
    draft.replace(file)
    _sync_folder(file.parent)


def _give(path: Path, group: str | None) -> None:
    if group is not None:
        shutil.chown(path, group=group)


def _wipe(source: Path) -> None:
    """Secrets are written over before they go: a stick is lost more easily than a till.

    They leave their folder first: half wiped, they must not be taken again.
    """
    secrets, taken = source / SECRETS, source / f"{SECRETS}.taken"
    _erase(taken)  # what an earlier boot did not finish
    if secrets.is_dir():
        secrets.rename(taken)
        _sync_folder(source)
        _erase(taken)
    (source / SETTINGS).replace(source / f"{SETTINGS}.taken")
    _sync_folder(source)


def _erase(folder: Path) -> None:
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        with file.open("r+b") as output:
            output.write(b"\0" * file.stat().st_size)
            output.flush()
            os.fsync(output.fileno())
        file.unlink()
    folder.rmdir()


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
