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

Several printers: `[printer]` is the first, each further one has a section `[printers.NAME]` with
its own `url` and `pos_ids`; what such a section does not set is as in `[printer]`.

```toml
[till]
pos_ids = ["POS-001", "POS-002"]

[printer]                     # prints for POS-001: nobody else names it
url = "serial:///dev/kkt"

[printers.hall]
url = "serial:///dev/kkt-hall"
pos_ids = ["POS-002"]
```

While `buffer.capacity` is above its default, the till reminds of it every four hours.
"""


def parts(settings: Settings) -> dict[str, Any]:
    """Every section by its name in the file."""
    further = {f"printers.{name}": one for name, one in settings.printers.items()}
    return {name: getattr(settings, name) for name in SECTIONS} | further


def rules(settings: Settings | None = None) -> list[tuple[str, dataclasses.Field[Any]]]:
    """The whole table: `section.key` and its rule."""
    return [
        (f"{name}.{one.name}", one)
        for name, part in parts(settings or Settings()).items()
        for one in dataclasses.fields(part)
    ]


def value_of(settings: Settings, key: str) -> Any:
    """The value of `section.key`."""
    section, _, name = key.rpartition(".")
    return getattr(parts(settings)[section], name)


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """Keys whose values differ, as in the table; a printer that came or went as its section."""
    known = [key for key, _ in rules(old) if key.rpartition(".")[0] in parts(new)]
    moved = sorted(set(parts(old)) ^ set(parts(new)))
    return [key for key in known if value_of(old, key) != value_of(new, key)] + moved


def merge_live(old: Settings, new: Settings) -> tuple[Settings, list[str], list[str]]:
    """The new values where no restart is needed, the old ones elsewhere.

    Returns the merged settings, the keys they take over and the keys that wait for a restart.
    """
    changed = changed_keys(old, new)
    live = {key for key, rule in rules(old) if rule.metadata["live"]}
    taken = [key for key in changed if key in live]
    waiting = [key for key in changed if key not in live]
    merged = old
    for key in taken:
        section, _, name = key.rpartition(".")
        part = dataclasses.replace(parts(merged)[section], **{name: value_of(new, key)})
        group, _, printer = section.rpartition(".")
        taken_in: Any = {**merged.printers, printer: part} if group else part
        merged = dataclasses.replace(merged, **{group or section: taken_in})
    return merged, taken, waiting


def as_shown(settings: Settings) -> dict[str, dict[str, Any]]:
    """For people: every setting in force; secrets as «…», and no password inside an address."""
    shown: dict[str, dict[str, Any]] = {name: {} for name in parts(settings)}
    for key, rule in rules(settings):
        section, _, name = key.rpartition(".")
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
