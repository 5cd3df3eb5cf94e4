"""A real browser, spoken to by its own protocol (Chrome DevTools Protocol)."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import ClientConnection, connect

_NAMES = "chromium", "chromium-browser", "google-chrome"
_LIMIT_S = 60.0
AXE = Path(__file__).parents[1] / "portal" / "web" / "node_modules" / "axe-core" / "axe.min.js"
# Codes of keys, and what they write.
_KEYS = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "),
    "ArrowLeft": (37, ""), "ArrowUp": (38, ""), "ArrowRight": (39, ""), "ArrowDown": (40, ""),
}  # fmt: skip


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what happens meanwhile is noted."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(_LIMIT_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript; promises are waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, address: str, until: str) -> None:
        """Open an address and wait until a script says true."""
        self.call("Page.navigate", url=address)
        self.wait(lambda: self.run(f"Boolean(document.body && ({until}))"))

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait for something of the page."""
        deadline = time.monotonic() + _LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"the page does not get there; {self.errors}"
            time.sleep(0.1)

    def move(self, x: float, y: float) -> None:
        """Move the mouse, pixels of the page."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """Press a key of the keyboard: ``Enter``, ``Tab``, ``ArrowRight``, ``a``."""
        code, text = _KEYS.get(key, (ord(key.upper()[0]), key))
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code, **typed,
            )  # fmt: skip

    def look(self, width: int = 1300, height: int = 1000, theme: str = "light") -> None:
        """See pages from now on as on a screen of this size, by day or by night."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        # As if it were the window that people look at: else nothing is told of focus.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        scheme = {"name": "prefers-color-scheme", "value": theme}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def barriers(self) -> list[str]:
        """List what keeps people from using the page, as axe finds it (WCAG 2, and beyond)."""
        if not AXE.exists():
            missing = "no axe-core; `make setup` fetches it from npm"
            (pytest.fail if "NOTHING_SKIPPED" in os.environ else pytest.skip)(missing)
        self.run(f"{AXE.read_text(encoding='utf-8')}; 0")
        found: list[str] = self.run(
            "axe.run().then((all) => all.violations.map((one) => `${one.id}: "
            "${one.nodes.map((node) => node.target.join(' ')).join(', ')}`))"
        )
        return found

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(about["exceptionDetails"]["text"])
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.errors.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")


@contextmanager
def browser(folder: Path, width: int = 1300, height: int = 1000) -> Iterator[Page]:
    """Open a browser with one tab; it needs no network and gets none."""
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if program is None:
        missing = "no Chromium; on Debian: apt-get install chromium (make test does, as root)"
        # Where nothing may be passed over, a test that cannot be run has failed.
        (pytest.fail if "NOTHING_SKIPPED" in os.environ else pytest.skip)(missing)
    profile = folder / "browser"
    command = [
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--remote-debugging-port=0", f"--user-data-dir={profile}",
        f"--window-size={width},{height}", "about:blank",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            said = profile / "DevToolsActivePort"
            deadline = time.monotonic() + _LIMIT_S
            while not (said.exists() and len(said.read_text().splitlines()) == 2):
                assert process.poll() is None, "Chromium ended at once"
                assert time.monotonic() < deadline, "Chromium does not start"
                time.sleep(0.1)
            port = said.read_text().splitlines()[0]
            tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=10).json()
            tab = next(one for one in tabs if one["type"] == "page")
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
