"""Processes that live no longer than the one that started them."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

LAST_LINES: Final = 20
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # loaded here: not after fork


class ChildDied(Exception):
    """A child ended by itself; the text carries its last lines."""

    def __init__(self, child: Child) -> None:
        super().__init__(f"{child.name} ended with {child.exit_code()}:\n{child.last_lines()}")
        self.child = child


class Child:
    """One process with its output in a file.  kill -9 of the parent kills it as well."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        announces: bool = False,
    ) -> None:
        """`announces`: standard output is a pipe with one JSON line when the child is ready."""
        self.name, self._log = name, log
        parent = os.getpid()

        def begin() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the runner's is not for its children
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it went between fork and prctl
                os._exit(1)

        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announces else output,
                stderr=output,
                env={**os.environ, **environment},
                preexec_fn=begin,
                start_new_session=True,  # Ctrl-C is for the runner, which knows the order
            )

    def find_announcement(self) -> dict[str, Any] | None:
        """The child's JSON line, or None while it has not written one; raises ChildDied."""
        pipe = self._process.stdout
        if pipe is None:
            raise RuntimeError(f"{self.name} has no pipe")
        if not select.select([pipe], [], [], 0)[0]:
            return None
        line = pipe.readline()
        if not line:
            self._process.wait(5)
            raise ChildDied(self)
        found: dict[str, Any] = json.loads(line)
        return found

    def check(self) -> None:
        """Raises ChildDied if it has ended."""
        if self._process.poll() is not None:
            raise ChildDied(self)

    def exit_code(self) -> int:
        """As a shell would say it: 128 + n after signal n."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def last_lines(self) -> str:
        with self._log.open("rb") as output:
            output.seek(self._log_start)
            lines = output.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def stop(self, patience_s: float) -> None:
        """SIGTERM, and SIGKILL for who does not listen; returns when it is gone."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
