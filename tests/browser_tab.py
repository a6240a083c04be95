"""A page in headless Chromium that a test drives: its pointer, keys, files, window, and what is seen."""

import base64
import fcntl
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from .browser import CHROMIUM

PATIENCE_S = 60.0  # seconds until an answer or a condition counts as missing
# Chromium reads commands from descriptor 3 and answers on 4: no port is opened, and nothing else can drive the page.
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
KEYS = {
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "ArrowDown": 40,
    "ArrowUp": 38,
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    "Home": 36,
    "End": 35,
}


class Tab:
    """A tab of a browser of its own, which ends with it.

    Args:
        width, height: Of the window, in pixels.
        dark: The system prefers dark colors.
        phone: The window is a phone's, which has fingers and no pointer.
    """

    def __init__(self, width: int = 1200, height: int = 900, dark: bool = False, phone: bool = False) -> None:
        if CHROMIUM is None:
            pytest.skip("needs Chromium, which is not installed")
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (read, to), (answers, write) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (read, write)]
        command = [
            sys.executable,
            "-c",
            START,
            *map(str, ends),
            CHROMIUM,
            *OPTIONS,
            f"--user-data-dir={self._profile.name}",
        ]
        self._process = subprocess.Popen(
            command, pass_fds=ends, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (read, write, *ends):
            os.close(end)
        self._to, self._answers, self._rest, self._number = to, answers, b"", 0
        self.errors: list[str] = []
        self._session = ""
        pages = [target for target in self.told("Target.getTargets")["targetInfos"] if target["type"] == "page"]
        target = pages[0]["targetId"] if pages else self.told("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.told("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.told(f"{domain}.enable")
        self.resize(width, height, phone)
        if dark:
            self.told("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.close(self._to)
            os.close(self._answers)
        finally:
            self._process.kill()
            self._process.wait()
            self._profile.cleanup()

    def told(self, method: str, **parameters: object) -> dict:
        """Return the browser's answer to a command of its DevTools protocol."""
        self._number += 1
        sent = {"id": self._number, "method": method, "params": parameters} | (
            {"sessionId": self._session} if self._session else {}
        )
        os.write(self._to, json.dumps(sent).encode() + b"\0")
        end = time.monotonic() + PATIENCE_S
        while (message := self._next(end)).get("id") != self._number:
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.errors.append(f"{message['params']['entry']['text']} {message['params']['entry'].get('url', '')}")
        if "error" in message:
            raise AssertionError(f"{method}: {message['error']['message']}")
        return message["result"]

    def _next(self, end: float) -> dict:
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError("the browser gives no answer")
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise AssertionError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        """Change the window."""
        self.told("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def open(self, address: str | Path, ready: str = "document.readyState === 'complete'") -> None:
        """Go to an address or a file, and wait until a condition of the page holds."""
        self.told("Page.navigate", url=address if isinstance(address, str) else address.absolute().as_uri())
        self.until(f"location.href !== 'about:blank' && {ready}")

    def value(self, expression: str) -> object:
        """Return the value of an expression in the page, or of what it promises."""
        answer = self.told("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"].get("exception", {}).get("description", answer))
        return answer["result"].get("value")

    def text(self, name: str) -> str:
        """Return the visible text of an element by its id."""
        return " ".join(str(self.value(f"document.getElementById({json.dumps(name)}).innerText")).split())

    def until(self, condition: str, seconds: float = PATIENCE_S) -> None:
        """Wait until an expression of the page is true."""
        end, last = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                if self.value(condition):
                    return
                last = ""
            except AssertionError as error:  # the page is not there yet, or is being replaced
                last = str(error)
            time.sleep(0.05)
        raise AssertionError(f"not so within {seconds} s: {condition}; {last} errors: {self.errors[-3:]}")

    def point(self, x: float, y: float, kind: str = "mouseMoved", held: bool = False) -> None:
        """Move the pointer, or press (`mousePressed`) or release (`mouseReleased`) its left button."""
        button = {
            "button": "none" if kind == "mouseMoved" and not held else "left",
            "buttons": int(held),
            "clickCount": int(kind != "mouseMoved"),
        }
        self.told("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def middle(self, selector: str) -> tuple[float, float]:
        """Scroll the first element of a CSS selector into view, and return the point in its middle."""
        x, y = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center', behavior: 'instant'}}); "
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return x, y

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        x, y = self.middle(selector)
        self.point(x, y)
        self.point(x, y, "mousePressed", held=True)
        self.point(x, y, "mouseReleased")

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            code = KEYS.get(key, 0)
            text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
            self.told("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
            self.told("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def drop(self, selector: str, *files: Path) -> None:
        """Choose files in a file input."""
        node = self.told("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")["result"]
        self.told("DOM.setFileInputFiles", files=[str(file.absolute()) for file in files], objectId=node["objectId"])

    def roles(self) -> list[tuple[str, str]]:
        """Return role and name of all that a screen reader is told, in its order."""
        nodes = self.told("Accessibility.getFullAXTree")["nodes"]
        return [
            (n["role"]["value"], n.get("name", {}).get("value", ""))
            for n in nodes
            if not n.get("ignored") and "role" in n
        ]

    def picture(self, path: str | Path, whole: bool = False) -> Path:
        """Write the window, or the whole page, as PNG."""
        answer = self.told("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(answer["data"]))
        return Path(path)
