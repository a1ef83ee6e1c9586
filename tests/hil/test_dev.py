"""`./build.sh dev` for real: the daemon, the registrar and the ОФД as processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import pytest
from dev_api import ask, ask_as_root

RUNNER: Final = Path(__file__).resolve().parent / "dev.py"
START_S: Final = 90.0
LISTEN: Final = "0A"  # state of a listening socket in /proc/net/tcp
SALE: Final = {
    "pos_id": "POS-001",
    "type": "sale",
    "cashier": {"name": "Петрова А."},
    "items": [{"name": "Оправа", "qty": 1, "price": "1990.00", "vat": "22%"}],
    "payments": [{"method": "cash", "amount": "2000.00"}],
}


class Dev:
    """One run of the developer's till."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, str(RUNNER), "--state", str(state), *options],
            stdout=subprocess.PIPE,
            stderr=(state.parent / "dev.err").open("ab"),
            text=True,
        )
        self.found: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(40)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def ready(self) -> Self:
        """Wait for the JSON line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.complaint()
        self.found = json.loads(line)
        return self

    def complaint(self) -> str:
        return (self.state.parent / "dev.err").read_text(encoding="utf-8")

    def children(self) -> dict[str, int]:
        """The module each child runs, and its process id."""
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return {_module(int(child)): int(child) for child in listed}

    def kill_everything(self) -> None:
        """kill -9 of the runner; the kernel does the rest."""
        children = self.children()
        self.process.kill()
        self.process.wait(5)
        eventually(lambda: not any(_is_alive(child) for child in children.values()))

    def call(self, method: str, path: str, body: object = None, role: str = "cashier") -> Any:
        api, ca_file = self.found["api"], Path(self.found["ca_file"])
        return ask(api, ca_file, self.found["tokens"][role], method, path, body)

    def sell(self) -> dict[str, Any]:
        status, answer = self.call("POST", "/v1/kkt/receipt", SALE)
        assert status == 200, answer
        assert isinstance(answer, dict)
        return answer

    def rig(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.found["rig"]).netloc, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            assert response.status in (200, 201)
            return json.loads(response.read())
        finally:
            connection.close()

    def tell_further(self, pos_id: str, method: str, path: str, body: object = None) -> Any:
        """The control port of a registrar after the first."""
        first = self.found["rig"]
        self.found["rig"] = self.found["further"][pos_id]["rig"]
        try:
            return self.rig(method, path, body)
        finally:
            self.found["rig"] = first

    def receipts_in_fn(self) -> list[dict[str, Any]]:
        documents = self.rig("GET", "/fn/documents")
        return [document for document in documents if document["type"] == "receipt"]

    def receipts_at_ofd(self) -> list[str]:
        return [receipt["external_id"] for receipt in self.rig("GET", "/ofd/stored")]


def eventually(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def _module(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return words[words.index("-m") + 1] if "-m" in words else words[0]


def _is_alive(pid: int) -> bool:
    """A killed child of a killed parent may stay a zombie until its new parent looks."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _listens_on(pid: int) -> set[str]:
    """Addresses of the listening TCP sockets of a process, as /proc spells them."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if found := re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink())):
            inodes.add(found[1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            words = row.split()
            if words[3] == LISTEN and words[9] in inodes:
                addresses.add(words[1].split(":")[0])
    return addresses


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    with Dev(tmp_path / "state", "--json") as running:
        yield running.ready()


def test_a_sale_over_https_is_one_document_in_the_fn_and_one_at_the_ofd(dev: Dev) -> None:
    answer = dev.sell()
    (document,) = dev.receipts_in_fn()
    assert (document["fd"], document["fp"]) == (
        answer["fiscal_doc"]["fd"],
        answer["fiscal_doc"]["fp"],
    )
    assert (document["sign"], document["total_kopecks"]) == (1, 199_000)
    eventually(lambda: dev.receipts_at_ofd() == [answer["receipt_id"]])
    (row,) = dev.rig("GET", "/ofd/receipts")
    assert (row["key"], row["answer"]["status"]) == (answer["receipt_id"], 201)
    assert row["body"]["fiscal"]["fd"] == document["fd"]
    path = f"/v1/kkt/receipt/{answer['receipt_id']}"
    eventually(lambda: bool(dev.call("GET", path)[1]["status"] == "synced"))


def test_the_line_for_scripts_has_what_a_script_needs(dev: Dev) -> None:
    assert set(dev.found) == {
        *("api", "ca_file", "socket", "tokens", "rig", "printer", "ofd", "odoo", "ups"),
    }
    assert set(dev.found["tokens"]) == {"cashier", "supervisor", "engineer", "admin"}
    assert ask_as_root(Path(dev.found["socket"]), "GET", "/v1/ready")[0] == 200
    secret = (dev.state / "tokens.json").stat()
    assert secret.st_mode & 0o777 == 0o600


def test_nothing_listens_beyond_loopback(dev: Dev) -> None:
    for module, pid in dev.children().items():
        assert _listens_on(pid) == {"0100007F"}, module  # 127.0.0.1, least byte first


def test_kill_everything_and_the_same_state_goes_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Dev(state, "--json") as first:
        sold = first.ready().sell()
        documents = first.rig("GET", "/fn/documents")
        first.kill_everything()
    with Dev(state, "--json") as second:
        second.ready()
        assert second.found == first.found
        assert second.rig("GET", "/fn/documents") == documents
        path = f"/v1/kkt/receipt/{sold['receipt_id']}"
        assert second.call("GET", path)[1]["fiscal_doc"] == sold["fiscal_doc"]
        again = second.sell()
        assert again["fiscal_doc"]["fd"] == sold["fiscal_doc"]["fd"] + 1
        wanted = [sold["receipt_id"], again["receipt_id"]]
        eventually(lambda: second.receipts_at_ofd() == wanted)


def test_receipts_kept_back_by_the_ofd_leave_after_kill_and_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Dev(state, "--json") as first:
        first.ready().rig("POST", "/faults", {"target": "ofd", "fault": "refuse_connection"})
        sold = [first.sell()["receipt_id"] for _ in range(3)]
        assert first.receipts_at_ofd() == []
        first.kill_everything()
    with Dev(state, "--json") as second:
        second.ready()
        eventually(lambda: second.receipts_at_ofd() == sold, within_s=60.0)
        assert len(second.receipts_in_fn()) == 3


def test_sigterm_stops_the_till_and_frees_its_ports(tmp_path: Path) -> None:
    with Dev(tmp_path / "state", "--json") as running:
        children = running.ready().children()
        assert set(children) == {"kktd.daemon", "rig"}
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    assert not any(_is_alive(child) for child in children.values())
    address = urlsplit(running.found["api"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)


def test_a_daemon_that_dies_ends_the_run_with_its_code_and_a_reason(dev: Dev) -> None:
    os.kill(dev.children()["kktd.daemon"], signal.SIGKILL)
    assert dev.process.wait(30) == 128 + signal.SIGKILL
    assert "kktd ended with 137" in dev.complaint()


def test_a_second_runner_on_the_same_state_says_why_it_goes(dev: Dev) -> None:
    second = subprocess.run(
        [sys.executable, str(RUNNER), "--json", "--state", str(dev.state)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert "another ./build.sh dev" in second.stderr
    assert dev.sell()["status"] == "printed"


def test_the_registrar_on_a_pseudo_terminal_prints_as_well(tmp_path: Path) -> None:
    with Dev(tmp_path / "state", "--json", "--pty") as running:
        assert running.ready().found["printer"].startswith("serial:///")
        assert running.sell()["status"] == "printed"
        assert len(running.receipts_in_fn()) == 1


def test_the_three_lines_to_try_work_as_printed(tmp_path: Path) -> None:
    with Dev(tmp_path / "state") as running:
        lines = _three_lines(running)
        answers = [
            json.loads(
                subprocess.run(
                    ["bash", "-c", line.replace("curl ", "curl --silent --fail-with-body ", 1)],
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=True,
                ).stdout
            )
            for line in lines
        ]
    sale, buffer, documents = answers
    assert sale["status"] == "printed"
    assert buffer["total_capacity"] == 200
    assert [document["type"] for document in documents].count("receipt") == 1


def _three_lines(running: Dev) -> list[str]:
    """The shell lines of the text, joined where a backslash broke them."""
    assert running.process.stdout is not None
    text = ""
    while not text.endswith("/fn/documents\n"):
        row = running.process.stdout.readline()
        assert row, running.complaint()
        text += row
    rows = text.replace("\\\n", " ").splitlines()
    lines = [row.strip() for row in rows if row.startswith("  curl")]
    assert len(lines) == 3, text
    return lines


def test_two_tills_sell_on_a_registrar_each_and_one_that_hangs_holds_nobody(
    tmp_path: Path,
) -> None:
    second = "POS-002"
    cut = {"fault": "power_cut", "command": "close_receipt", "when": "after", "times": 1}
    silent = {"target": "printer", "fault": "lose_reply"}
    with Dev(tmp_path / "state", "--json", "--tills", "2") as shop:
        shop.ready()
        documents: dict[str, list[int]] = {"POS-001": [], second: []}
        for pos_id, numbers in documents.items():
            for _ in range(3):
                status, answer = shop.call("POST", "/v1/kkt/receipt", {**SALE, "pos_id": pos_id})
                assert status == 200, answer
                numbers.append(answer["fiscal_doc"]["fd"])
        shop.tell_further(second, "POST", "/faults", {"target": "printer", **cut})
        for question in ("find_document", "read_document"):
            shop.tell_further(second, "POST", "/faults", {**silent, "command": question})
        doubtful: list[tuple[int, Any]] = []
        cashier = threading.Thread(
            target=lambda: doubtful.append(
                shop.call("POST", "/v1/kkt/receipt", {**SALE, "pos_id": second})
            )
        )
        cashier.start()
        in_doubt = "/v1/kkt/buffer/status"
        eventually(lambda: bool(shop.call("GET", in_doubt)[1]["in_doubt"] == 1))
        for _ in range(3):
            documents["POS-001"].append(shop.sell()["fiscal_doc"]["fd"])
        assert shop.call("GET", in_doubt)[1]["in_doubt"] == 1, "the other till sold meanwhile"
        closed = {"cashier": SALE["cashier"], "pos_id": "POS-001"}
        assert shop.call("POST", "/v1/kkt/z_report", closed, "supervisor")[0] == 200
        refused = shop.call("POST", "/v1/kkt/z_report", {**closed, "pos_id": second}, "supervisor")
        assert (refused[0], refused[1]["code"]) == (409, "DOUBT_OPEN")
        shop.tell_further(second, "DELETE", "/faults")
        cashier.join(60)
        eventually(lambda: bool(shop.call("GET", in_doubt)[1]["current_queued"] == 0))
        in_fn = [
            one["fd"]
            for one in shop.tell_further(second, "GET", "/fn/documents")
            if one["type"] == "receipt"
        ]
        assert len(in_fn) == 4
        assert in_fn[:3] == documents[second]
        assert [one["fd"] for one in shop.receipts_in_fn()] == documents["POS-001"]
        assert len(set(shop.receipts_at_ofd())) == 10
        health = shop.call("GET", "/v1/health")[1]
        assert {one["printer"] for one in health["tills"].values()} == {"kkt", "n2"}
