"""The page "Classify a photo" in a real Chromium: by mouse, keyboard, touch; silent, and safe."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from lineage_lab.using.predictor import Predictor
from lineage_site.pages.classify_a_photo.drawings import SAMPLES
from tests.site.browser import CHROMIUM, arrive
from tests.site.photo import (
    ASKED,
    FILES,
    PATH,
    SAID,
    files,
    give,
    hears,
    load,
    opened,
    ready,
    rows,
    status,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.pretrained("efficientnet_lite0")


@pytest.fixture(scope="module")
def page(browser: Browser, home: str) -> Iterator[Page]:
    with ready(browser, home) as made:
        yield made


def test_the_page_is_silent_once_the_network_is_loaded(page: Page, tmp_path: Path) -> None:
    """No request, whatever is done; under the strict policy, and without a complaint."""
    page.context.set_offline(True)
    for path in files(tmp_path).values():
        give(page, path)
    for button in page.locator(".ll-photo-samples button").all():
        button.click()
        page.wait_for_timeout(300)
    for choice in reversed(page.locator(".ll-photo-top label").all()):
        choice.click()
    page.locator(".ll-photo summary").click()
    page.wait_for_timeout(300)
    page.locator(".ll-photo summary").click()
    page.context.set_offline(False)
    assert ASKED == []
    assert SAID == []


HOSTILE = {
    "notes.jpg": (b"These are notes, and no photograph.\n" * 9, "none of PNG, JPEG"),
    "empty.png": (b"", "is empty"),
    "tiny.jpg": (b"\xff\xd8\xff", "none of PNG, JPEG"),
    "loop.jpg": (b"\xff\xd8" + b"\xff" * 60000, "none of PNG, JPEG"),
    "zero.jpg": (b"\xff\xd8" + b"\xff\xe1\x00\x00" * 9000, "none of PNG, JPEG"),
    "script.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "none of"),
    "nought.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 50, "cut short or damaged"),
    "bomb.png": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02" + b"\0" * 50,
        "65,535 × 65,535 pixels",
    ),
}


def test_what_is_no_photograph_is_refused_in_words(page: Page) -> None:
    cut = {f"cut-{p.name}": p.read_bytes()[: p.stat().st_size // 2] for p in FILES.values()}
    cases = {**HOSTILE, **{name: (text, "cut short or damaged") for name, text in cut.items()}}
    for name, (content, words) in cases.items():
        told = give(page, {"name": name, "mimeType": "image/jpeg", "buffer": content})
        assert told.startswith(f"{name} "), told
        assert words in told, told
        assert not page.locator(".ll-photo-result").is_visible()
    give(page, FILES["cup"])  # and it goes on
    assert rows(page)[0][0] == "espresso"


def test_a_name_is_shown_as_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)>.jpg"
    assert give(page, {"name": name, "mimeType": "image/jpeg", "buffer": b"no"}).startswith(name)
    assert page.locator(".ll-photo-status img").count() == 0


def test_it_is_used_by_keyboard_alone(browser: Browser, home: str) -> None:
    page = opened(browser, home)
    page.on("filechooser", lambda _: None)  # from now on, or the first one may slip through
    page.locator(".ll-photo-load button").focus()
    page.keyboard.press("Enter")
    page.locator(".ll-photo-choose").wait_for()
    assert page.evaluate("document.activeElement.name") == "file"  # not lost with the button
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(FILES["cup"])
    page.locator(".ll-photo-top input").first.wait_for()
    assert rows(page)[0][0] == "espresso"
    page.locator("[name=file]").focus()
    page.keyboard.press("Tab")  # the camera's is not shown here
    page.keyboard.press("Space")
    hears(page, "cat: ")
    page.locator(".ll-photo-top input").first.focus()
    before = page.locator(".ll-photo-evidence").text_content()
    page.keyboard.press("ArrowDown")
    after = page.locator(".ll-photo-evidence").text_content()
    assert before != after
    assert str(after).startswith("Evidence for tiger cat")
    page.close()


TRANSFER = """([text, kind]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], "given.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  const event = kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: carried })
    : new DragEvent(kind, { ...options, dataTransfer: carried });
  document.querySelector("h1").dispatchEvent(event);
  return event.defaultPrevented;
}"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photograph_is_dropped_or_pasted(page: Page, way: str) -> None:
    give(page, FILES["cup"])
    text = base64.b64encode(FILES["cat"].read_bytes()).decode()
    if way == "drop":
        assert page.evaluate(TRANSFER, [text, "dragover"])  # or the browser would open the file
        assert page.locator("#ll-photo.ll-over").count() == 1
    page.evaluate(TRANSFER, [text, way])
    hears(page, "given.png: Egyptian")
    assert page.locator("#ll-photo.ll-over").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_fits_and_is_used_by_touch(browser: Browser, home: str, scheme: str) -> None:
    page = opened(browser, home, viewport={"width": 390, "height": 800}, has_touch=True,
                  is_mobile=True, color_scheme=scheme)  # fmt: skip
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    page.locator(".ll-photo-load button").tap()
    page.locator(".ll-photo-choose").wait_for()
    camera = page.locator("[name=camera]")
    assert camera.is_visible()
    assert camera.get_attribute("capture") == "environment"
    camera.set_input_files(FILES["tower"])
    page.locator(".ll-photo-top label").nth(1).tap()
    told = page.locator(".ll-photo-evidence").text_content() or ""
    assert told.startswith("Evidence for bell cote")
    page.locator(".ll-photo-samples button").nth(1).tap()
    hears(page, "cup: espresso")
    page.locator(".ll-photo summary").tap()
    assert page.evaluate(wide) <= 0
    page.close()


def weigh(page: Page, home: str) -> int:
    return sum(
        len(page.request.get(url).body())
        for url in page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
        if "onnxruntime" in url or ("/photo/data/" in url and "thumb" not in url)
    )


def test_the_size_is_said_before_and_is_what_is_loaded(browser: Browser, home: str) -> None:
    page = opened(browser, home)
    heavy = "performance.getEntriesByType('resource').filter(e => /onnx|[.]wasm/.test(e.name))"
    assert page.evaluate(f"{heavy}.length") == 0
    said = page.locator(".ll-photo-load button").text_content() or ""
    page.evaluate(
        "window.heard = []; new MutationObserver(() => window.heard.push("
        "document.querySelector('.ll-photo-status').textContent)).observe("
        "document.querySelector('.ll-photo-status'), {childList: true, characterData: true})"
    )
    load(page)
    assert said == f"Load the network ({weigh(page, home) / 1e6:.1f} MB)"
    heard = page.evaluate("window.heard")
    assert heard[0] == "Loading."
    assert heard[-2] == "Starting the network."
    assert heard[-1].startswith("Ready.")
    assert 4 <= len(heard) <= 8  # a screen reader is not flooded
    assert page.locator(".ll-photo-status").get_attribute("aria-live") == "polite"
    page.close()


@pytest.mark.parametrize("missing", ["efficientnet_lite0.onnx", "threaded.wasm", "bundle.min.mjs"])
@pytest.mark.parametrize("how", ["404", "broken"])
def test_a_failed_load_is_told_and_tried_again(
    browser: Browser, home: str, missing: str, how: str
) -> None:
    page = opened(browser, home)
    broken = lambda route: route.fulfill(status=404) if how == "404" else route.abort()  # noqa: E731
    page.route(f"**/*{missing}", broken)
    button = page.locator(".ll-photo-load button")
    button.click()
    page.locator("button", has_text="Try again").wait_for()
    told = status(page)
    assert "could not be loaded" in told
    assert missing in told
    assert ("404" in told or missing.endswith("mjs")) if how == "404" else "connection" in told
    page.unroute(f"**/*{missing}")
    button.click()
    page.locator(".ll-photo-choose").wait_for()
    give(page, FILES["cup"])
    assert rows(page)[0][0] == "espresso"
    page.close()


def test_a_browser_without_webassembly_is_told_so(browser: Browser, home: str) -> None:
    page = browser.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    arrive(page, home + PATH)
    page.locator(".ll-photo-load button").click()
    assert "no WebAssembly" in status(page)
    page.close()


def test_without_scripts_the_packages_answers_stand_there(
    browser: Browser, home: str, predictor: Predictor
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PATH)
    assert not page.locator("#ll-photo").is_visible()
    cells: list[Locator] = page.locator(".ll-photo-answers tbody tr").all()
    answers = predictor.predict(FILES.values())
    for row, sample, answer in zip(cells, SAMPLES, answers, strict=True):
        text = row.inner_text()
        assert sample.licence in text
        for label, probability in answer.top:
            assert f"{label} {100 * probability:.1f} %" in text
        assert row.locator("img").evaluate("i => i.naturalWidth") > 0
    assert page.locator("figure.ll-figure svg").is_visible()
    context.close()
