"""`python -m benchmarks [--only NAME] [--json] [--strict] [--long] [--list]`."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys

from benchmarks.harness import LONG, as_json, as_table, find_rows, run
from kktd import log


def main() -> int:
    """0; with --strict 1 when a row misses its aim; 2 when no row is called so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="rows whose name contains NAME")
    parser.add_argument("--json", action="store_true", help="a list of objects, for scripts")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a row misses its aim")
    parser.add_argument("--long", action="store_true", help="whole runs where short ones scale")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    options = parser.parse_args()
    found = find_rows(options.only)
    if not found:
        print(f"no row is called {options.only}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(found))
        return 0
    if options.long:
        os.environ[LONG] = "1"
    log.configure(io.StringIO())
    rows = {name: run(row) for name, row in found.items()}
    if options.json:
        print(json.dumps([as_json(name, row) for name, row in rows.items()], ensure_ascii=False))
    else:
        print(as_table(list(rows.values())))
    return int(options.strict and not all(row.ok for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
