"""The page "Classify a photo", opened and used; what several test files of it share."""

import base64
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Route

from lineage_lab.chapters.photos import location
from lineage_site.pages.classify_a_photo.drawings import SAMPLES
from tests.site.browser import arrive

PATH = "try/classify-a-photo/"
FILES = {s.word: location(s.file, package=s.package) for s in SAMPLES}
# `script-src` as the site is to have it; the theme's own inline scripts by their hashes.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' {hashes}; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self'; form-action 'none'; base-uri 'none'"
)
INLINE = re.compile(r"<script(?![^>]*(?:src=|application/json))[^>]*>(.*?)</script>", re.DOTALL)

SAID: list[str] = []  # on the console
ASKED: list[str] = []  # addresses, after the network is loaded


def strict(route: Route) -> None:
    """The page as it is served under the policy."""
    answer = route.fetch()
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in INLINE.findall(answer.text())
    )
    policy = {"content-security-policy": POLICY.format(hashes=hashes)}
    route.fulfill(response=answer, headers={**answer.headers, **policy})


def opened(browser: Browser, home: str, **options: Any) -> Page:
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
    page.route(f"**/{PATH}", strict)
    arrive(page, home + PATH)
    return page


def load(page: Page) -> Page:
    page.locator(".ll-photo-load button").click()
    page.locator(".ll-photo-choose").wait_for()
    return page


@contextmanager
def ready(browser: Browser, home: str) -> Iterator[Page]:
    """The page under the policy with its network loaded; `SAID` and `ASKED` fill from there."""
    made = browser.new_page(viewport={"width": 1280, "height": 900})
    SAID.clear()
    ASKED.clear()
    made.on("console", lambda m: SAID.append(m.text) if m.type != "log" else None)
    made.on("pageerror", lambda error: SAID.append(str(error)))
    made.route(f"**/{PATH}", strict)
    arrive(made, home + PATH)
    load(made)
    made.wait_for_load_state("networkidle")
    made.on("request", lambda request: ASKED.append(request.url))
    made.on("websocket", lambda socket: ASKED.append(socket.url))
    yield made
    made.close()


def status(page: Page) -> str:
    return page.locator(".ll-photo-status").text_content() or ""


def hears(page: Page, start: str) -> str:
    """Waits until the page says something that begins so. (Playwright's own waiting evaluates
    strings, which the policy forbids.)
    """
    said = page.locator(".ll-photo-status")
    said.filter(has_text=re.compile(f"^{re.escape(start)}")).wait_for()
    return status(page)


def give(page: Page, file: Path | dict[str, Any]) -> str:
    """Chooses a file, and waits for what the page says of it."""
    page.evaluate("document.querySelector('.ll-photo-status').textContent = ''")
    page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]
    return hears(page, file.name if isinstance(file, Path) else str(file["name"]))


def rows(page: Page) -> list[tuple[str, float]]:
    """The five names, and their probabilities as they are shown."""
    labels = page.locator(".ll-photo-top label:has(b)").all()
    assert len(labels) == 5
    return [
        (
            str(line.locator("span").text_content()),
            float(str(line.locator("b").text_content()).removesuffix(" %")) / 100,
        )
        for line in labels
    ]


def packed(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def files(folder: Path) -> dict[str, Path]:
    """Files of many kinds, with a name each."""
    tower, cat = Image.open(FILES["tower"]), Image.open(FILES["cat"])
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to see it upright
    faded = cat.convert("RGBA")
    faded.putalpha(Image.linear_gradient("L").resize(cat.size))
    large = tower.resize((2560, 1708), Image.Resampling.LANCZOS)
    made = {
        "plain.png": packed(cat),
        "plain.jpg": FILES["tower"].read_bytes(),
        "turned.jpg": packed(tower.rotate(90, expand=True), "JPEG", exif=exif, quality=95),
        "turned.png": packed(tower.rotate(90, expand=True), "PNG", exif=exif),
        "grey.png": packed(cat.convert("L")),
        "grey.jpg": packed(tower.convert("L"), "JPEG"),
        "faded.png": packed(faded),
        "palette.png": packed(cat.quantize(64)),
        "sixteen.png": packed(
            Image.fromarray(np.asarray(cat.convert("L")).astype(np.uint16) * 257)
        ),
        "large.jpg": packed(large, "JPEG", quality=90),
        "progressive.jpg": packed(tower, "JPEG", progressive=True),
        "small.webp": packed(cat, "WEBP", quality=80),
        "small.gif": packed(cat.quantize(255), "GIF"),
        "small.bmp": packed(cat, "BMP"),
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in made}
