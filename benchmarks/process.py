"""Python processes of a measurement: output in a file, gone when the benchmark is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[1]
HIL: Final = REPOSITORY / "tests" / "hil"
LAST_LINES: Final = 20
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # loaded here: not after fork


class Process:
    """`python <command>`; a kill -9 of the benchmark kills it as well."""

    def __init__(
        self, command: Sequence[str], log: Path, *, announces: bool = False, **environment: str
    ) -> None:
        """`announces`: standard output is a pipe with one line when it is ready."""
        parent = os.getpid()

        def begin() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it went between fork and prctl
                os._exit(1)

        self._log = log
        path = {"PYTHONPATH": f"{REPOSITORY}:{HIL}", "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announces else output,
                stderr=output,
                env={**os.environ, **path, **environment},
                preexec_fn=begin,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def first_line(self, wait_s: float) -> str:
        """What it says when it is ready; raises RuntimeError."""
        pipe = self._process.stdout
        assert pipe is not None
        readable, _, _ = select.select([pipe], [], [], wait_s)
        line = pipe.readline() if readable else b""
        if not line:
            raise RuntimeError(f"nothing was announced: {self.last_lines()}")
        return line.decode()

    def check(self) -> None:
        """Raises RuntimeError if it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with {self._process.returncode}: {self.last_lines()}")

    def last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    def stop(self, patience_s: float) -> None:
        """SIGTERM, and SIGKILL for who does not listen."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
