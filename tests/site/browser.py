"""A real browser over the built site, and a plain server for it."""

import base64
import functools
import gzip
import http.server
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# The shell is Chromium's engine without what surrounds a page, and takes less of the processor.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
PREFIX = "/lineage-lab/"  # GitHub Pages serves the site under the repository's name


# What GitHub Pages compresses; fonts and pictures are compressed already.
TEXTS = {".html", ".css", ".js", ".json", ".svg", ".txt", ".xml", ".ipynb"}


@functools.cache
def compressed(path: Path, _: float) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves as GitHub Pages does: compressed, kept for ten minutes."""

    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".webp": "image/webp",
        ".wasm": "application/wasm",
        ".ipynb": "application/x-ipynb+json",
    }

    def __init__(self, *given: Any, changed: Mapping[str, str], parts: int, **options: Any) -> None:
        self.changed, self.parts = changed, parts
        super().__init__(*given, **options)

    def do_GET(self) -> None:
        if (text := self.changed.get(self.path.removeprefix(PREFIX))) is not None:
            self._send(text.encode(), "text/html")
            return
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.split("?")[0].endswith("/"):
            path /= "index.html"
        if self.parts > 1 and path.suffix == ".html":
            self._send(path.read_bytes(), "text/html", parts=self.parts)
            return
        gzipped = "gzip" in self.headers.get("Accept-Encoding", "")
        if not (gzipped and path.suffix in TEXTS and path.is_file()):
            super().do_GET()
            return
        body = compressed(path, path.stat().st_mtime)
        self._send(body, self.guess_type(path), encoding="gzip")

    def _send(self, body: bytes, kind: str, *, encoding: str = "", parts: int = 1) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        size = max(1, -(-len(body) // parts))
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if parts > 1:
                time.sleep(0.015)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.removeprefix(PREFIX))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(site: Path, changed: Mapping[str, str] | None = None, parts: int = 1) -> Iterator[str]:
    """Serves a folder, some of its pages changed; gives the address of its home page.

    In many parts, a page arrives as over a slow line: what came first is painted before the rest.
    """
    handler = functools.partial(_Handler, directory=str(site), changed=changed or {}, parts=parts)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        finally:
            server.shutdown()
            thread.join()


# Many numbers between page and test: as text of base64, quicker by far than as lists.
CODED = """(() => {
  const coded = (numbers) => {
    const bytes = new Uint8Array(new Float64Array(numbers).buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  };
  const decoded = (text) => new Float64Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  return { coded, decoded };
})()"""


def coded(numbers: Any) -> str:
    """An array for a script that has `decoded` of `CODED`."""
    return base64.b64encode(np.asarray(numbers, dtype=np.float64).tobytes()).decode()


def decoded(text: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What a script gave by `coded` of `CODED`, in one row."""
    return np.frombuffer(base64.b64decode(text), dtype=np.float64)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, quiet."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--no-first-run",
                 "--renderer-process-limit=1", "--disable-site-isolation-trials"]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


_KEPT: dict[tuple[int, str, str], tuple[BrowserContext, Page]] = {}


@contextmanager
def tab(browser: Browser, home: str, **options: Any) -> Iterator[Page]:
    """A new tab, with nothing stored, in a context that all such tabs of a browser share.

    A context of its own for each test costs three times as much processor: a page that stays
    open keeps the process and what was fetched.
    """
    place = (id(browser), home, repr(sorted(options.items())))
    if place not in _KEPT:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        keeper = context.new_page()
        keeper.goto(home + "404.html")
        _KEPT[place] = context, keeper
    context, keeper = _KEPT[place]
    page = context.new_page()
    page.on("filechooser", lambda _: None)  # from now on, or the first one may slip through
    try:
        yield page
    finally:
        page.close()
        keeper.evaluate("() => localStorage.clear()")


def arrive(page: Page, address: str) -> None:
    """Opens a page and waits until its scripts have run and nothing is fetched any more.

    Both: on a busy machine half a second without a request goes by before the scripts have run.
    """
    page.goto(address, wait_until="load")
    page.wait_for_load_state("networkidle")


USES = [(scheme, width) for scheme in ("light", "dark") for width in (1440, 390)]


@contextmanager
def touched(
    browser: Browser, address: str, scheme: str, width: int
) -> Iterator[tuple[Page, list[str]]]:
    """A page under a finger, and what it asked for or complained of once it was loaded."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    context = browser.new_context(has_touch=True, **options)  # type: ignore[arg-type]
    page = context.new_page()
    arrive(page, address)
    noted: list[str] = []
    page.on("request", lambda request: noted.append(request.url))
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    yield page, noted
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    context.close()
