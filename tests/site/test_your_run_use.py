"""The page "Your run" in a real Chromium, used: by mouse, touch, keyboard and by dropping files."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.site.browser import arrive
from tests.site.comparisons import THREE, bring, one_seed, saved

PAGE = "try/your-run/"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tmp_path, THREE)


def shown(page: Page) -> list[str]:
    page.wait_for_timeout(50)
    return page.locator("#ll-runs h3").all_text_contents()


def told(page: Page) -> str:
    return page.locator("#ll-drop output").text_content() or ""


def drop(page: Page, *files: Path, place: tuple[int, int] = (600, 300)) -> None:
    """As a person drops files from a file manager: Chromium's own events, not the page's."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": list(map(str, files)), "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": place[0], "y": place[1], "data": data}
        session.send("Input.dispatchDragEvent", event)
    page.wait_for_timeout(300)


def test_files_are_picked_by_mouse(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("One comparison.json, or several").click()
    assert chooser.value.is_multiple()
    chooser.value.set_files(file)
    page.wait_for_selector("#ll-runs svg")
    assert shown(page) == ["comparison.json"]
    page.get_by_role("button", name="Take them away").click()
    assert shown(page) == []
    assert told(page) == "Nothing is shown."
    assert not page.get_by_role("button", name="Take them away").is_visible()
    assert bring(page, file) == "Shown below: comparison.json."  # the same file once more


def test_files_are_picked_by_keyboard(page: Page, file: Path) -> None:
    for _ in range(99):  # past the navigation
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "ll-file":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(file)
    page.wait_for_selector("#ll-runs svg")
    page.keyboard.press("Tab")  # to "Take them away"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Tab")  # the table can be scrolled by keyboard
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "The table of comparison.json"
    )
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert shown(page) == []
    assert page.evaluate("document.activeElement.id") == "ll-file"  # and is not lost


def test_files_are_picked_by_touch(browser: Browser, home: str, file: Path) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.on("filechooser", lambda _: None)
    arrive(page, home + PAGE)
    with page.expect_file_chooser() as chooser:
        page.locator("#ll-file").tap()
    chooser.value.set_files(file)
    page.wait_for_selector("#ll-runs svg")
    page.get_by_role("button", name="Take them away").tap()
    assert shown(page) == []
    context.close()


@pytest.mark.parametrize("place", [(600, 300), (5, 5), (1200, 880)])
def test_files_are_dropped_anywhere(place: tuple[int, int], page: Page, file: Path) -> None:
    address = page.url
    drop(page, file, place=place)
    assert shown(page) == ["comparison.json"]
    assert page.url == address
    assert page.locator(".ll-over").count() == 0


def test_a_file_in_the_hand_is_answered_to_and_text_is_not(page: Page, file: Path) -> None:
    session = page.context.new_cdp_session(page)
    for data, lit in (
        ({"items": [], "files": [str(file)]}, 1),
        ({"items": [{"mimeType": "text/plain", "data": "hello"}]}, 0),
    ):
        for kind in ("dragEnter", "dragOver"):
            event = {"type": kind, "x": 600, "y": 300, "data": data | {"dragOperationsMask": 1}}
            session.send("Input.dispatchDragEvent", event)
        assert page.locator(".ll-over").count() == lit
        page.evaluate("document.dispatchEvent(new DragEvent('dragleave'))")  # it left the window
        assert page.locator(".ll-over").count() == 0
    assert shown(page) == []
    assert told(page) == ""


def test_several_files_are_shown_together_or_not_at_all(page: Page, tmp_path: Path) -> None:
    files = [saved(tmp_path, found, name) for found, name in
             ((THREE, "b.json"), (one_seed(THREE), "a.json"), ("{}", "broken.json"))]  # fmt: skip
    drop(page, *files[:2])
    assert shown(page) == ["b.json", "a.json"]
    assert told(page) == "Shown below: b.json, a.json."
    titles = page.locator("#ll-runs svg").evaluate_all(
        "all => all.map(svg => svg.getAttribute('aria-labelledby'))"
    )
    assert len(set(titles)) == 2  # no two pictures share their words
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(set(ids)) == len(ids)
    assert "bad.json" not in bring(page, *files)
    assert told(page).startswith("Refused: broken.json is no comparison")
    assert shown(page) == ["b.json", "a.json"]
    more = [saved(tmp_path, THREE, f"{i}.json") for i in range(6)]
    assert bring(page, *more).startswith("Refused: 6 files, and this page takes 5 at once.")
    assert shown(page) == ["b.json", "a.json"]


def test_what_is_no_text_or_too_large_is_refused(page: Page, tmp_path: Path) -> None:
    large, odd, folder = (tmp_path / name for name in ("large.json", "odd.json", "folder"))
    with large.open("wb") as out:
        out.truncate(32 * 2**20 + 1)
    odd.write_bytes(THREE.to_json().encode("utf-16"))
    folder.mkdir()
    page.evaluate("""() => { const read = File.prototype.arrayBuffer;
      window.read = [];
      File.prototype.arrayBuffer = function () {
        window.read.push(this.name);
        return read.call(this); }; }""")
    assert "it is larger than 32 MiB" in bring(page, large)
    assert "it is not text in UTF-8" in bring(page, odd)
    drop(page, folder)
    assert "folder is no comparison" in told(page)
    assert shown(page) == []
    assert "large.json" not in page.evaluate("window.read")


def test_a_large_file_within_the_bound_is_drawn(page: Page, tmp_path: Path) -> None:
    text = THREE.to_json()
    padded = saved(tmp_path, text + " " * (32 * 2**20 - len(text.encode())))
    assert padded.stat().st_size == 32 * 2**20
    assert bring(page, padded) == "Shown below: comparison.json."


def test_the_last_choice_counts_whichever_is_read_first(page: Page, tmp_path: Path) -> None:
    """A file that takes long to read must not come after one that was chosen later."""
    slow, quick = saved(tmp_path, THREE, "slow.json"), saved(tmp_path, THREE, "quick.json")
    page.evaluate("""() => { const read = File.prototype.arrayBuffer;
      File.prototype.arrayBuffer = async function () {
        if (this.name === "slow.json") await new Promise(done => setTimeout(done, 400));
        return read.call(this); }; }""")
    page.set_input_files("#ll-file", slow)
    page.set_input_files("#ll-file", quick)
    page.wait_for_timeout(700)
    assert shown(page) == ["quick.json"]
    assert told(page) == "Shown below: quick.json."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_leaves_the_device(
    browser: Browser, home: str, file: Path, scheme: str, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page.on("filechooser", lambda _: None)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    arrive(page, home + PAGE)
    assert all(line.startswith(f"GET {home}") for line in asked)
    asked.clear()
    bring(page, file)
    assert told(page).startswith("Shown")
    bring(page, saved(file.parent, "[]", "bad.json"))
    assert told(page).startswith("Refused")
    page.wait_for_timeout(300)
    assert asked == []
    assert said == []
    kept = "[localStorage, sessionStorage].map(s => JSON.stringify(s)).join() + document.cookie"
    assert "resnet50" not in page.evaluate(kept)
    page.close()
