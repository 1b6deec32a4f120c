"""The reader's progress in a real Chromium: how it is earned, and how it is shown."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.site.browser import CHROMIUM, arrive, tab
from tests.site.progress import (
    CHAPTER,
    GUIDE,
    KEY,
    add,
    badge,
    drawn,
    everything,
    open_page,
    rules_of,
    score,
    stored,
    toast,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

WAYS = ("mouse", "touch", "keyboard")
SCHEMES = ("light", "dark")
DAY = "2026-11-20"


@pytest.fixture(scope="module")
def rules(built_site: Path) -> dict[str, Any]:
    return rules_of(built_site)


@pytest.fixture
def page(browser: Browser, home: str) -> Iterator[Page]:
    wrong: list[str] = []
    options = {"has_touch": True, "permissions": ["clipboard-read", "clipboard-write"]}
    with tab(browser, home, **options) as opened:
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        open_page(opened, f"{home}{CHAPTER}/")
        yield opened
    assert wrong == []


def use(control: Locator, way: str) -> None:
    control.scroll_into_view_if_needed()
    if way == "mouse":
        control.click(force=True)  # what is done says aria-disabled, and is pressed all the same
    elif way == "touch":
        control.tap(force=True)
    else:
        control.focus()
        control.press("Enter")


def has_xp(page: Page, wanted: int) -> None:
    """Wait until the badge shows so many, on a busy machine too, and see that they stay."""
    for pause in (0, 100):
        page.wait_for_timeout(pause)
        expect(page.locator(".ll-badge")).to_contain_text(f"· {wanted} XP", timeout=10_000)


@pytest.mark.parametrize("way", WAYS)
def test_a_snippet_that_is_copied_counts_once(page: Page, way: str) -> None:
    assert badge(page) == "Level 0 · 0 XP"
    block = page.locator(".highlight.language-python:not(.output)").nth(1)
    block.hover()
    for _ in range(2):
        use(block.locator("button.md-clipboard, .md-code__button[data-md-type=copy]").first, way)
        page.wait_for_timeout(150)
    has_xp(page, 2)
    assert badge(page) == "Level 0 · 2 XP"
    assert list(stored(page)) == [f"copied:{CHAPTER}/2"]
    own = block.locator("code").text_content() or "-"
    assert own.rstrip() in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("way", WAYS)
def test_a_first_answer_earns_more_than_a_later_one(page: Page, way: str) -> None:
    first, second = (page.locator(f"#resnet-q{n}") for n in (1, 2))
    use(first.locator(".ll-right > summary"), way)
    has_xp(page, 10)
    use(second.locator(".ll-wrong > summary").first, way)
    has_xp(page, 10)
    use(second.locator(".ll-right > summary"), way)
    has_xp(page, 15)
    use(first.locator(".ll-wrong > summary").first, way)  # to look at the others costs nothing
    use(first.locator(".ll-right > summary"), way)
    has_xp(page, 15)
    told = {f"first:{CHAPTER}/1", f"right:{CHAPTER}/2", f"tried:{CHAPTER}/2"}
    assert set(stored(page)) == told


def test_a_wrong_answer_is_remembered_when_the_page_is_opened_again(page: Page) -> None:
    page.locator("#resnet-q1 .ll-wrong > summary").first.click()
    page.wait_for_function(f"() => (localStorage.getItem('{KEY}') ?? '').includes('tried:')")
    open_page(page, page.url)
    page.locator("#resnet-q1 .ll-right > summary").click()
    has_xp(page, 5)


def test_answers_that_a_script_opens_are_not_given(page: Page) -> None:
    page.evaluate(
        "document.querySelectorAll('details').forEach(d => { d.name = ''; d.open = true; })"
    )
    page.wait_for_timeout(200)
    assert stored(page) == {}


@pytest.mark.parametrize("way", WAYS)
def test_an_exercise_is_done_when_the_reader_says_so(page: Page, way: str) -> None:
    button = page.get_by_role("button", name="I have done exercise 2")
    use(button, way)
    done = page.get_by_role("button", name="Exercise 2 done")
    done.wait_for()
    assert done.get_attribute("aria-disabled") == "true"
    assert done.evaluate("b => b === document.activeElement")
    assert toast(page) == "Achievement: It holds."
    use(done, way)
    has_xp(page, 25)
    assert list(stored(page)) == [f"done:{CHAPTER}/2"]
    open_page(page, page.url)
    assert done.is_visible()


@pytest.mark.parametrize("way", WAYS)
def test_a_page_is_read_when_the_reader_says_so(page: Page, way: str) -> None:
    use(page.get_by_role("button", name="Mark as read"), way)
    page.get_by_role("button", name="Read, ").wait_for()
    has_xp(page, 40)
    assert list(stored(page)) == [f"read:{CHAPTER}"]


def test_each_page_shows_as_many_items_as_are_counted(
    page: Page, home: str, rules: dict[str, Any]
) -> None:
    for name, counts in rules["pages"].items():
        page.goto(f"{home}{name}/", wait_until="load")
        marks = page.evaluate("""() => [...document.querySelectorAll('[data-ll-mark]')].map(
            e => [e.matches('.highlight') ? 'snippets' : e.matches('section') ? 'questions' : 'exercises',
                  e.dataset.llMark])""")
        for kind in ("snippets", "questions", "exercises"):
            places = [place for what, place in marks if what == kind]
            assert places == [f"{name}/{n + 1}" for n in range(counts[kind])], (name, kind)
        buttons = page.locator(".ll-mark", has_text="I have done exercise")
        assert buttons.count() == counts["exercises"]
        assert page.locator("[data-ll-read] .ll-mark").count() == 1
        assert page.locator(".highlight.output[data-ll-mark]").count() == 0
        copied = page.locator(".highlight[data-ll-mark] [data-md-type=copy]").count()
        assert copied == counts["snippets"], name


def test_the_end_and_some_time_make_a_page_read(browser: Browser, home: str) -> None:
    page = browser.new_page()
    page.clock.install()
    arrive(page, f"{home}{GUIDE}/")
    minutes = int(page.locator("[data-ll-read]").get_attribute("data-minutes") or 0)
    assert minutes > 2
    enough = minutes * 60 // 4
    page.clock.run_for((enough + 5) * 1000)
    assert stored(page) == {}, "read without having come to its end"
    page.reload(wait_until="load")
    page.wait_for_load_state("networkidle")
    page.locator("[data-ll-read]").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.clock.run_for(enough * 2000)
    page.evaluate("delete document.hidden")
    page.clock.run_for((enough - 10) * 1000)
    assert stored(page) == {}, "read while the tab was hidden, or too soon"
    page.clock.run_for(15 * 1000)
    page.wait_for_function("() => document.querySelector('.ll-toast').textContent !== ''")
    assert list(stored(page)) == [f"read:{GUIDE}"]
    assert toast(page) == "You have read this page. Achievement: Read the one paper."
    page.clock.run_for(10 * 1000)
    assert toast(page) == ""
    page.close()


def test_a_level_is_announced_and_blocks_nothing(page: Page) -> None:
    place = page.locator(".ll-toast")
    assert place.get_attribute("role") == "status"
    add(page, {"read:timeline": DAY, "read:choosing": DAY})
    page.get_by_role("button", name="Mark as read").click()
    place.locator("p").wait_for()
    assert toast(page) == "Achievement: First chapter. Level 1: Reader."
    assert place.evaluate("e => getComputedStyle(e).pointerEvents") == "none"
    assert page.evaluate("document.activeElement.closest('.ll-toast')") is None
    page.keyboard.press("Escape")
    assert toast(page) == ""


def test_the_toast_does_not_move_for_who_asks_for_stillness(page: Page) -> None:
    moves = "() => getComputedStyle(document.querySelector('.ll-toast p')).animationName"
    page.get_by_role("button", name="Mark as read").click()
    page.locator(".ll-toast p").wait_for()
    assert page.evaluate(moves) == "ll-in"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moves) == "none"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_header_s_line_moves_nothing_and_holds_the_most(
    browser: Browser, home: str, rules: dict[str, Any], width: int
) -> None:
    boxes = """() => ['.md-header__title', '.md-logo', '[data-md-component=palette] label:not([hidden])',
        'label.md-header__button[for=__search]', '.md-search__form'].map(
            s => document.querySelector(s)?.getBoundingClientRect().x)"""
    context = browser.new_context(viewport={"width": width, "height": 900})
    without = context.new_page()
    without.route("**/progress.js", lambda route: route.abort())
    arrive(without, f"{home}{CHAPTER}/")
    page = context.new_page()
    open_page(page, f"{home}{CHAPTER}/")
    assert page.evaluate(boxes) == without.evaluate(boxes)
    width_of = "() => document.querySelector('.ll-badge').getBoundingClientRect().width"
    empty = page.evaluate(width_of)
    add(page, dict.fromkeys(everything(rules), DAY))
    assert "2," in badge(page)
    assert page.evaluate(width_of) == empty
    box = page.locator(".ll-badge")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert box.evaluate("e => e.getBoundingClientRect().height") >= 24
    context.close()


@pytest.mark.parametrize("way", WAYS)
def test_the_header_s_line_leads_to_the_page(page: Page, way: str, home: str) -> None:
    use(page.locator(".ll-badge"), way)
    page.wait_for_url(f"{home}progress/")
    page.locator(".ll-level").wait_for()
    assert page.locator(".ll-badge").get_attribute("aria-current") == "page"


def told_by(page: Page) -> dict[str, Any]:
    earned = [
        item.text_content() or ""
        for item in page.locator("#ll-achievements .ll-earned strong").all()
    ]
    level = int((page.locator(".ll-level strong").text_content() or "").split()[1].strip(":"))
    points = int(
        (page.locator(".ll-level").text_content() or "")
        .split(" XP")[0]
        .split()[-1]
        .replace(",", "")
    )
    return {"xp": points, "level": level, "earned": earned}


def test_the_page_counts_as_the_rules_say(page: Page, home: str, rules: dict[str, Any]) -> None:
    draw = random.Random(2015)
    seen: set[str] = set()
    levels: set[int] = set()
    for _ in range(20):
        facts = drawn(rules, draw)
        page.evaluate("localStorage.clear()")
        open_page(page, f"{home}progress/")
        add(page, facts)
        found = told_by(page)
        assert found == score(rules, facts)
        seen |= set(found["earned"])
        levels.add(found["level"])
    assert seen == {one["name"] for one in rules["achievements"]}
    assert levels >= {0, len(rules["levels"]) - 1}


def test_the_page_s_table_and_bars(page: Page, home: str, rules: dict[str, Any]) -> None:
    open_page(page, f"{home}progress/")
    counts = rules["pages"][CHAPTER]
    add(page, {f"read:{CHAPTER}": DAY, f"copied:{CHAPTER}/1": DAY, f"right:{CHAPTER}/5": DAY})
    row = page.locator(f"tr[data-page='{CHAPTER}']")
    cells = [cell.text_content() for cell in row.locator("td[data-kind]").all()]
    assert cells == [
        f"1/{counts['snippets']}",
        f"1/{counts['questions']}",
        f"0/{counts['exercises']}",
    ]
    items = sum(counts[kind] for kind in ("snippets", "questions", "exercises")) + 1
    assert row.locator(".ll-bar").text_content() == f"read, {300 // items} %"
    bar = row.get_by_role("progressbar")
    assert (bar.evaluate("b => [b.value, b.max]")) == [3, items]
    assert bar.get_attribute("aria-label") == f"{counts['title']}: done"
    add(page, dict.fromkeys(everything(rules), DAY))
    assert row.locator(".ll-bar").text_content() == "complete"
    assert "100 % complete" in (page.locator(".ll-level").text_content() or "").replace("\xa0", " ")
    assert page.locator("tr[data-level][aria-current]").count() == 1
    assert (page.locator(".ll-summary").text_content() or "").count("This is the last level.") == 1


CONTRAST = """selector => {
  const one = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  return [...document.querySelectorAll(selector)].filter(e => e.checkVisibility()).map(e => {
    let under = e;
    while (under.parentElement && (one(getComputedStyle(under).backgroundColor)[3] ?? 1) === 0) under = under.parentElement;
    const [a, b] = [light(one(getComputedStyle(e).color)), light(one(getComputedStyle(under).backgroundColor))];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  });
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_can_be_read_in_both_schemes(
    browser: Browser, home: str, scheme: str, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    for path in (f"{CHAPTER}/", "progress/"):
        open_page(page, home + path)
        add(page, {f"done:{CHAPTER}/1": DAY, f"read:{GUIDE}": DAY})
        if path == f"{CHAPTER}/":
            page.get_by_role("button", name="Mark as read").click()
            page.locator(".ll-toast p").wait_for()
            page.wait_for_timeout(400)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        parts = [".ll-badge span", ".ll-mark:not(dialog *)"]
        parts += [".ll-toast p", ".ll-end span"] if path == f"{CHAPTER}/" else [
            ".ll-summary :is(p, li)", ".ll-bar span", "#ll-achievements :is(em, strong, span)"]  # fmt: skip
        for part in parts:
            found = page.evaluate(CONTRAST, part)
            assert found, part
            assert min(found) >= 4.5, (part, min(found))
    table = page.locator(".ll-pages table")
    room = "t => t.closest('.ll-pages').clientWidth - t.scrollWidth"
    assert table.evaluate(room) >= -1
    page.close()


@pytest.mark.parametrize("path", ["progress/", f"{CHAPTER}/"])
def test_without_scripts_nothing_is_promised(browser: Browser, home: str, path: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + path)
    assert page.locator(".ll-badge, .ll-mark, .ll-toast").count() == 0
    if path == "progress/":
        text = page.inner_text("body")
        assert "Scripts are off, or have not run yet. With them, your level stands here" in text
        assert page.locator("tr[data-page]:visible").count() == 18
        assert "Read the ResNet paper with its guide." in text
        assert "without an account" in text
    context.close()


def test_nothing_is_sent(page: Page, home: str, tmp_path: Path) -> None:
    asked: list[tuple[str, str, bool]] = []
    page.on("request", lambda r: asked.append((r.method, r.url, r.post_data is not None)))
    page.get_by_role("button", name="Mark as read").click()
    page.locator("#resnet-q1 .ll-right > summary").click()
    page.get_by_role("button", name="I have done exercise 1").click()
    page.wait_for_function(f"() => (localStorage.getItem('{KEY}') ?? '').includes('done:')")
    open_page(page, f"{home}progress/")
    with page.expect_download() as got:
        page.get_by_role("button", name="Export as a file").click()
    got.value.save_as(tmp_path / "mine.json")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import a file").click()
    chooser.value.set_files(tmp_path / "mine.json")
    page.get_by_text("Imported: 0 new facts; 3 were known.").wait_for()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Forget it").click()
    page.wait_for_timeout(300)
    origin = home.split("/lineage")[0]
    own = [(m, u, body) for m, u, body in asked if not u.startswith(("data:", f"blob:{origin}"))]
    assert len(own) > 5
    assert [one for one in own if one[0] != "GET" or one[2] or not one[1].startswith(origin)] == []
    # Nothing is told by an address either; the search's own script has the theme's name in its.
    assert [u for _, u, _ in own if "?" in u and "/assets/search.js?" not in u] == []


def test_the_site_goes_on_without_its_rules(browser: Browser, home: str) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.route("**/assets/progress.json", lambda route: route.abort())
    arrive(page, f"{home}{CHAPTER}/")
    page.get_by_role("button", name="Mark as read").click()
    page.get_by_role("button", name="Read, ").wait_for()
    assert list(stored(page)) == [f"read:{CHAPTER}"]
    assert badge(page) == "Progress"
    assert wrong == []
    page.close()
