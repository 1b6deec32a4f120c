"""The reader's progress as it is kept: files in and out, several tabs, no room, begun anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.site.browser import CHROMIUM
from tests.site.progress import CHAPTER, KEY, add, badge, open_page, stored, toast

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

SCHEMA = "lineage-lab-progress/1"
OWN = {"read:chapters/vgg": "2026-11-20", "copied:chapters/vgg/1": "2026-11-21"}
MARKUP = "read:<img src=x onerror=alert(1)>"


def of(facts: Any, **more: Any) -> str:
    return json.dumps({"schema": SCHEMA, "facts": facts, **more})


HOSTILE = {
    "no JSON": ("pixels", "it is not a JSON file"),
    "empty": ("", "it is not a JSON file"),
    "a number": ("3", "not a progress file of this site"),
    "a list": ("[]", "not a progress file of this site"),
    "another schema": (json.dumps({"schema": "notes/1", "facts": {}}), "not a progress file"),
    "a later version": (json.dumps({"schema": "lineage-lab-progress/2", "facts": {}}), "version 2"),
    "no facts": (json.dumps({"schema": SCHEMA}), "missing or no list"),
    "facts in a list": (of([]), "missing or no list"),
    "facts that are null": (of(None), "missing or no list"),
    "something besides": (of({}, xp=99999), 'has not: "xp"'),
    "a prototype": (
        f'{{"schema": "{SCHEMA}", "facts": {{}}, "__proto__": {{"x": 1}}}}',
        "__proto__",
    ),
    "a prototype's fact": (of({"__proto__": "2026-11-20"}), 'no fact: "__proto__"'),
    "an unknown kind": (of({"won:chapters/vgg": "2026-11-20"}), "no fact"),
    "capitals": (of({"read:Chapters/VGG": "2026-11-20"}), "no fact"),
    "a way out": (of({"read:../../etc": "2026-11-20"}), "no fact"),
    "markup": (of({MARKUP: "2026-11-20"}), "no fact"),
    "a long name": (of({"read:" + "a" * 99: "2026-11-20"}), "no fact"),
    "no day": (of({"read:chapters/vgg": "yesterday"}), "is no day"),
    "a number for a day": (of({"read:chapters/vgg": 20261120}), "is no day"),
    "a day that no month has": (of({"read:chapters/vgg": "2026-02-30"}), "is no day"),
    "deep": (of({"read:chapters/vgg": json.loads("[" * 500 + "]" * 500)}), "is no day"),
    "the future": (of({"read:chapters/vgg": "2099-01-01"}), "in the future: 2099-01-01"),
    "one of many": (of({**OWN, "read:chapters/resnet": "never"}), "is no day"),
    "many": (of({f"copied:chapters/vgg/{n}": "2026-11-20" for n in range(4001)}), "4,001 facts"),
    "large": (" " * (256 * 1024 + 1), "257 KiB, and 256 are the most"),
}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, home: str) -> Page:
    opened = context.new_page()
    open_page(opened, f"{home}progress/")
    return opened


def bring(page: Page, text: str, name: str = "progress.json") -> str:
    """Imports a file; what the page says of it."""
    page.evaluate("document.querySelectorAll('.ll-said').forEach(o => { o.textContent = ''; })")
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#ll-keep input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    page.wait_for_function(
        "() => [...document.querySelectorAll('.ll-said')].some(o => o.textContent)"
    )
    return page.locator("#ll-keep ~ .ll-said").first.text_content() or ""


@pytest.fixture(scope="module")
def reader(browser: Browser, home: str) -> Iterator[Page]:
    """A reader with some progress, to whom all the broken files are given."""
    context = browser.new_context()
    opened = context.new_page()
    open_page(opened, f"{home}progress/")
    add(opened, OWN)
    yield opened
    context.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_not_in_order_is_refused_and_changes_nothing(
    name: str, reader: Page
) -> None:
    wrong: list[str] = []
    reader.once("pageerror", lambda error: wrong.append(str(error)))
    text, reason = HOSTILE[name]
    before = reader.evaluate(f"localStorage.getItem('{KEY}')"), badge(reader)
    said = bring(reader, text)
    assert reason in said
    assert said.startswith("The file was refused: ")
    assert said.endswith("Nothing has changed.")
    assert (reader.evaluate(f"localStorage.getItem('{KEY}')"), badge(reader)) == before
    assert stored(reader) == OWN
    assert reader.locator("#ll-keep ~ .ll-said img").count() == 0
    assert reader.evaluate("({}).x") is None
    assert wrong == []


def test_what_is_exported_is_imported_on_another_device(
    browser: Browser, page: Page, home: str
) -> None:
    add(page, OWN)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as a file").click()
    assert download.value.suggested_filename.startswith("lineage-lab-progress-2")
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert json.loads(text) == {"schema": SCHEMA, "facts": OWN}
    other = browser.new_context()
    there = other.new_page()
    open_page(there, f"{home}progress/")
    add(there, {"read:chapters/vgg": "2026-11-24", "done:chapters/resnet/1": "2026-11-24"})
    assert bring(there, text) == "Imported: 1 new facts; 1 were known."
    assert stored(there) == {**OWN, "done:chapters/resnet/1": "2026-11-24"}  # the earlier day
    open_page(there, f"{home}{CHAPTER}/")
    assert badge(there) == badge_of(there, 40 + 2 + 25)
    other.close()


def badge_of(page: Page, xp: int) -> str:
    level = page.evaluate("window.lineageProgress.ready.then("
                          "rules => window.lineageProgress.score(rules).level)")  # fmt: skip
    return f"Level {level} · {xp} XP"


def test_two_tabs_that_write_at_once_lose_nothing(context: BrowserContext, home: str) -> None:
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        open_page(tab, f"{home}progress/")
    write = """([kind, count]) => { window.done = Promise.all(Array.from({ length: count },
      (_, n) => window.lineageProgress.add([[`${kind}:chapters/vgg/${n + 1}`, "2026-11-20"]]))); }"""
    for tab, kind in zip(tabs, ("copied", "done"), strict=True):
        tab.evaluate(write, [kind, 40])
    for tab in tabs:
        tab.evaluate("window.done.then(() => true)")
    wanted = {f"{k}:chapters/vgg/{n + 1}" for k in ("copied", "done") for n in range(40)}
    assert set(stored(tabs[0])) == wanted
    for tab in tabs:  # and each shows what the other did
        tab.wait_for_function("() => window.lineageProgress.facts().size === 80")
        assert badge(tab) == badge(tabs[0]) != ""


def test_a_tab_that_writes_over_the_others_is_mended(context: BrowserContext, home: str) -> None:
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        open_page(tab, f"{home}progress/")
    add(tabs[0], OWN)
    tabs[1].evaluate(f"localStorage.setItem('{KEY}', JSON.stringify("
                     f"{{ schema: '{SCHEMA}', facts: {{ 'read:timeline': '2026-11-20' }} }}))")  # fmt: skip
    tabs[0].wait_for_function("() => window.lineageProgress.facts().size === 3")
    tabs[1].wait_for_function(
        f"() => Object.keys(JSON.parse(localStorage.getItem('{KEY}')).facts).length === 3"
    )
    assert stored(tabs[1]) == {**OWN, "read:timeline": "2026-11-20"}


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"facts": 3}', '{"facts": {"x": {}}}'])
def test_what_is_broken_under_our_name_stops_nothing(page: Page, home: str, broken: str) -> None:
    page.evaluate(f"text => localStorage.setItem('{KEY}', text)", broken)
    open_page(page, f"{home}progress/")
    assert "Level 0" in badge(page)
    add(page, OWN)
    assert stored(page) == OWN


FORBIDDEN = """Object.defineProperty(window, 'localStorage', {
  get() { throw new DOMException('forbidden', 'SecurityError'); } });"""
FULL = """Storage.prototype.setItem = function () {
  throw new DOMException('full', 'QuotaExceededError'); };"""


@pytest.mark.parametrize("how", [FORBIDDEN, FULL], ids=["forbidden", "full"])
def test_without_room_the_site_goes_on_and_says_so_once(
    context: BrowserContext, home: str, how: str
) -> None:
    context.add_init_script(how)
    page = context.new_page()
    wrong: list[str] = []
    # The theme's own script, which keeps the scheme, may complain; ours may not.
    page.on("pageerror", lambda e: wrong.append(f"{e}") if "progress" in f"{e.stack}" else None)
    open_page(page, f"{home}{CHAPTER}/")
    mark = page.get_by_role("button", name="Mark as read")
    mark.click()
    page.wait_for_function("() => document.querySelector('.ll-toast').textContent !== ''")
    assert "no room for your progress" in toast(page)
    assert badge(page) == "Not kept"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="I have done exercise 1").click()
    page.wait_for_timeout(200)
    assert "no room" not in toast(page)  # said once
    open_page(page, f"{home}progress/")
    assert "But this browser can’t keep them" in bring(page, of(OWN))
    assert "no room" in (page.locator("#ll-summary").text_content() or "")
    assert wrong == []


@pytest.mark.parametrize("way", ["keyboard", "touch"])
def test_reset_asks_first_forgets_everywhere_and_gives_the_focus_back(
    browser: Browser, home: str, way: str
) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page, other = context.new_page(), context.new_page()
    for tab in (page, other):
        open_page(tab, f"{home}progress/")
    add(page, OWN)
    other.wait_for_function("() => window.lineageProgress.facts().size === 2")
    reset = page.get_by_role("button", name="Reset")

    def press(name: str) -> None:
        button = page.get_by_role("button", name=name)
        if way == "touch":
            button.tap()
        else:
            button.focus()
            page.keyboard.press("Enter")

    press("Reset")
    dialog = page.get_by_role("dialog", name="Forget all progress?")
    assert dialog.is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Keep it"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert stored(page) == OWN
    assert reset.evaluate("button => button === document.activeElement")
    press("Reset")
    press("Keep it")
    assert stored(page) == OWN
    press("Reset")
    press("Forget it")
    page.wait_for_function("() => window.lineageProgress.facts().size === 0")
    assert page.evaluate(f"localStorage.getItem('{KEY}')") is None
    other.wait_for_function("() => window.lineageProgress.facts().size === 0")
    assert "Level 0" in badge(other)
    context.close()
