"""An HTTP server that fails as the board of faults says; what it answers otherwise is another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rig.faults import Fault, Faults
from rig.loopback import LoopbackServer, Reply, Request, Sent

HANG_POLL_S: Final = 0.05


class FaultyServer:
    """Listens on loopback from the start; `answer` is asked when no fault speaks first."""

    def __init__(
        self,
        target: str,
        faults: Faults,
        answer: Callable[[Request], Reply],
        port: int = 0,
        base: str = "",
    ) -> None:
        """`base`: what the paths of faults are relative to."""
        self._target, self._faults, self._answer, self._base = target, faults, answer, base
        self._server = LoopbackServer(self._respond, port, reset=self._resets)
        self.url = self._server.url
        faults.watch(self._follow_board)
        self._follow_board()

    def close(self) -> None:
        self._server.close()

    def bite(self, name: str, request: Request) -> Fault | None:
        """The fault of that name if it applies to the path; one of its times is used."""

        def applies(fault: Fault) -> bool:
            return request.path.startswith(self._base + str(fault.settings.get("path", "/")))

        return self._faults.take(self._target, name, applies=applies)

    def _follow_board(self) -> None:
        """A refusal without `times` closes the listener itself: the till gets ECONNREFUSED."""
        if self._server.closing.is_set():
            return
        fault = self._faults.find(self._target, "refuse_connection")
        if fault is not None and fault.times is None:
            self._server.refuse()
        else:
            self._server.open()

    def _resets(self) -> bool:
        return self._faults.take(self._target, "refuse_connection") is not None

    def _respond(self, request: Request) -> Reply:
        if (fault := self.bite("latency", request)) is not None:
            self._server.closing.wait(float(str(fault.settings["ms"])) / 1000)
        if self.bite("hang", request) is not None:
            while not request.gone() and not self._server.closing.wait(HANG_POLL_S):
                pass
            return Reply(504, None, sent=Sent.NOTHING)
        if (fault := self.bite("status", request)) is not None:
            code = int(str(fault.settings["code"]))
            return Reply(code, {"message": f"simulated {code}"})
        reply = self._answer(request)
        if self.bite("lose_answer", request) is not None:
            return Reply(reply.status, reply.body, sent=Sent.NOTHING)
        if self.bite("half_answer", request) is not None:
            return Reply(reply.status, reply.body, sent=Sent.HALF)
        return reply
