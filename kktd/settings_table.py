"""The table of settings read as a whole: what changed, what a reload may take, what people see."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Final

from kktd.config import SECTIONS, Settings

PAGE_HEAD: Final = """# Settings

`/etc/kktd/kktd.toml`.  Made from the table in `kktd/config.py`: `python -m kktd.settings_table`.

The daemon reads the file again when it was saved, and on `systemctl reload kktd`.  A file with a
mistake is refused whole: the event `settings_refused` names line, key and reason, and the till goes
on with what it had.  What is «applied at once» holds from the next receipt on; the rest waits for
`systemctl restart kktd` and is named in the event `settings_need_restart`.  The file behind
`ofd.token_file` is watched too: a new token makes delivery try at once.

Try a file before it goes to a till: `kktctl config check FILE`.  `kktctl config show` prints every
setting of the file with its default, without secrets.

While `buffer.capacity` is above its default, the till reminds of it every four hours.
"""


def rules() -> list[tuple[str, dataclasses.Field[Any]]]:
    """The whole table: `section.key` and its rule."""
    return [
        (f"{name}.{one.name}", one)
        for name, kind in SECTIONS.items()
        for one in dataclasses.fields(kind)
    ]


def value_of(settings: Settings, key: str) -> Any:
    """The value of `section.key`."""
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """Keys whose values differ, as in the table."""
    return [key for key, _ in rules() if value_of(old, key) != value_of(new, key)]


def merge_live(old: Settings, new: Settings) -> tuple[Settings, list[str], list[str]]:
    """The new values where no restart is needed, the old ones elsewhere.

    Returns the merged settings, the keys they take over and the keys that wait for a restart.
    """
    changed = set(changed_keys(old, new))
    taken = [key for key, rule in rules() if key in changed and rule.metadata["live"]]
    waiting = [key for key, rule in rules() if key in changed and not rule.metadata["live"]]
    merged = old
    for key in taken:
        section, _, name = key.partition(".")
        part: Any = getattr(merged, section)
        part = dataclasses.replace(part, **{name: value_of(new, key)})
        merged = dataclasses.replace(merged, **{section: part})
    return merged, taken, waiting


def as_shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """For people: every setting in force; secrets as «…», and no password inside an address."""
    shown: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for key, rule in rules():
        section, _, name = key.partition(".")
        value = value_of(settings, key)
        if rule.metadata["secret"]:
            value = "…"
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, str):
            value = re.sub(r"//[^/@]*@", "//…@", value)
        shown[section][name] = value
    return shown


def as_markdown() -> str:
    """docs/settings.md, to the letter: a test compares."""
    lines = [PAGE_HEAD]
    for name, kind in SECTIONS.items():
        lines += [f"## [{name}]", "", "| key | default | allowed | applied | meaning |"]
        lines.append("|---|---|---|---|---|")
        for rule in dataclasses.fields(kind):
            applied = "at once" if rule.metadata["live"] else "restart"
            lines.append(
                f"| `{rule.name}` | {_cell(rule.default)} | {_allowed(rule)} | {applied} "
                f"| {rule.metadata['sentence']} |"
            )
        lines.append("")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return f"`{list(value)}`".replace("'", '"')
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, int) else f'`"{value}"`'


def _allowed(rule: dataclasses.Field[Any]) -> str:
    least, most, choices = (rule.metadata[name] for name in ("least", "most", "choices"))
    if choices:
        return ", ".join(f"`{one}`" for one in choices)
    if least is not None:
        return f"{least}…{most}"
    if isinstance(rule.default, bool):
        return "`true`, `false`"
    if isinstance(rule.default, Path):
        return "absolute path"
    return "texts" if isinstance(rule.default, tuple) else "text"


if __name__ == "__main__":
    print(as_markdown(), end="")
