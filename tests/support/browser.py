"""A real browser: Debian's headless Chromium behind its WebDriver, spoken to with plain HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

DRIVER: Final = "chromedriver"
START_S: Final = 60.0
ANSWER_S: Final = 120.0
DESK: Final = (1920, 1080)
PHONE: Final = (390, 844)


class Browser:
    """One window of `size` CSS pixels; close it."""

    def __init__(self, log: Path, size: tuple[int, int]) -> None:
        path = shutil.which(DRIVER)
        assert path, "apt-get install chromium chromium-driver"
        self._port = _free_port()
        with log.open("ab") as output:
            self._driver = subprocess.Popen(
                [path, f"--port={self._port}"], stdout=output, stderr=output
            )
        end_s = time.monotonic() + START_S
        while not self._is_up():
            assert time.monotonic() < end_s, log.read_text(errors="replace")
            time.sleep(0.1)
        width, height = size
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options = {
            "args": [*arguments, f"--window-size={width},{height}"],
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height}},
        }
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": options}
        wanted["goog:loggingPrefs"] = {"browser": "ALL"}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *values: object) -> Any:
        """What a function body returns in the page."""
        body = {"script": script, "args": list(values)}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def text(self, selector: str) -> str:
        """As it is seen; empty where there is none or it is hidden."""
        script = (
            "const found = document.querySelector(arguments[0]); return found?.innerText ?? '';"
        )
        return str(self.run(script, selector))

    def wait_for(self, selector: str, text: str, seconds: float = 30.0) -> None:
        """Until it shows that text; raises AssertionError with what it shows."""
        end_s = time.monotonic() + seconds
        while text not in (seen := self.text(selector)):
            assert time.monotonic() < end_s, f"{selector}: {seen!r}, not {text!r}"
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys: str) -> None:
        """On the keyboard, one after another."""
        acts = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        board = {"type": "key", "id": "keyboard", "actions": acts}
        self._ask("POST", f"{self._session}/actions", {"actions": [board]})

    def complaints(self) -> list[str]:
        """What the console said since it was asked last: refusals of the policy among it."""
        rows = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [str(row["message"]) for row in rows]

    def picture(self, path: Path) -> None:
        """The window as PNG."""
        shot = self._ask("GET", f"{self._session}/screenshot")
        path.write_bytes(base64.b64decode(shot))

    def whole_picture(self, path: Path) -> None:
        """The page from top to bottom as PNG."""
        body = {"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": True}}
        shot = self._ask("POST", f"{self._session}/goog/cdp/execute", body)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        try:
            self._ask("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(20)

    def _is_up(self) -> bool:
        try:
            return bool(self._ask("GET", "/status")["ready"])
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_S)
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{method} {path}: {answer['error']}: {answer.get('message')}")
        return answer


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
