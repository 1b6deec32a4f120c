"""What the policy and the keyboard are for: a script that was put in does not run, and each stop of
the tab key is seen. Each is also done where it must fail, so that the test can.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.site.browser import CHROMIUM, arrive, served
from tests.site.screenshot import PAGES
from tests.site.test_every_page import AXE, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

META = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
DYNAMIC = """() => {
  const made = document.createElement("div");
  made.innerHTML = '<img src="nothing2.png" alt="" onerror="window.dynamic = true">';
  document.body.append(made);
}"""
RAN = "[window.inline, window.handler, window.foreign, window.dynamic].map(Boolean)"


def hostile(page: str, elsewhere: str, *, keep_policy: bool) -> str:
    """The page with four scripts in it that its author did not write."""
    injected = (
        "<script>window.inline = true</script>"
        '<img src="nothing.png" alt="" onerror="window.handler = true">'
        f'<script src="{elsewhere}evil.js"></script></article>'
    )
    changed = page.replace("</article>", injected)
    assert changed != page
    return changed if keep_policy else META.sub("", changed)


@pytest.mark.parametrize("name", ["home", "chapter", "lab"])
def test_injected_scripts_are_blocked_and_run_without_the_policy(
    browser: Browser, built_site: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "evil.js").write_text("window.foreign = true", encoding="utf-8")
    path = PAGES[name]
    text = (built_site / path / "index.html").read_text(encoding="utf-8")
    for keep in (True, False):
        with (
            served(tmp_path) as elsewhere,
            served(built_site, {path: hostile(text, elsewhere, keep_policy=keep)}) as home,
        ):
            page = browser.new_page()
            page.goto(home + path, wait_until="load")
            page.evaluate(DYNAMIC)
            page.wait_for_timeout(200)
            ran = page.evaluate(RAN)
            page.close()
        assert ran == [not keep] * 4


STOP = """() => {
  const stop = document.activeElement;
  if (!stop || stop === document.body) return null;
  // What is pressed may be drawn by its label, what is reached by a row of it.
  const shown = [stop, stop.labels && stop.labels[0], stop.nextElementSibling].filter(Boolean);
  const look = () => shown.concat(stop.matches("svg a") ? [...stop.children] : []).map((each) => {
    const s = getComputedStyle(each);
    return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.backgroundColor, s.borderColor, s.stroke, s.strokeWidth, s.color, s.visibility].join();
  }).join("|");
  const focused = look();
  const box = stop.getBoundingClientRect();
  // The theme's switch of colours is drawn by the label that follows it.
  const label = stop.matches(".md-option, .md-nav__toggle") ? stop.nextElementSibling : stop.labels && stop.labels[0];
  const drawn = label ? label.getBoundingClientRect() : box;
  stop.blur();
  const plain = look();
  stop.focus({ focusVisible: true, preventScroll: true });
  const last = window.lastStop;
  window.lastStop = stop;
  return {
    name: `${stop.tagName} ${stop.id || stop.className} ${(stop.textContent || "").trim().slice(0, 30)}`,
    seen: focused !== plain,
    within: Math.max(box.width, drawn.width) > 1 && drawn.right > 0 && drawn.left < innerWidth,
    later: !last || Boolean(last.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING),
  };
}"""


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_each_stop_of_the_tab_key_is_seen_and_in_order(
    browser: Browser, home: str, name: str, width: int
) -> None:
    with opened(browser, home + PAGES[name], viewport={"width": width, "height": 900}) as (page, _):
        stops = []
        for _ in range(70):
            page.keyboard.press("Tab")
            stop = page.evaluate(STOP)
            if stop is None:
                break
            stops.append(stop)
        assert len(stops) > 8
        assert [s["name"] for s in stops if not s["seen"]] == []
        assert [s["name"] for s in stops if not s["within"]] == []
        assert [s["name"] for s in stops if not s["later"]] == []
        assert (
            page.locator("[tabindex]").evaluate_all("l => l.filter(e => e.tabIndex > 0).length")
            == 0
        )


def test_the_menu_is_opened_gone_through_and_closed_by_keyboard(
    browser: Browser, home: str
) -> None:
    with opened(browser, home, viewport={"width": 640, "height": 800}) as (page, said):
        button = page.get_by_role("button", name="Menu")
        assert page.locator(".md-sidebar--primary a:visible").count() == 0
        button.focus()
        page.keyboard.press("Enter")
        assert button.get_attribute("aria-expanded") == "true"
        link = page.locator(".md-sidebar--primary a.md-nav__link", has_text="at a glance")
        for _ in range(40):
            page.keyboard.press("Tab")
            if link.evaluate("e => e === document.activeElement"):
                break
        else:
            pytest.fail("the menu's link was not reached")
        part = page.get_by_role("checkbox", name="Chapters")  # a list in the list
        assert not part.is_checked()
        part.focus()
        page.keyboard.press("Space")
        assert part.is_checked()
        assert page.locator(".md-nav__link:visible", has_text="LeNet-5 (1998)").count() == 1
        page.evaluate(AXE)
        assert page.evaluate("site.axe()") == []
        assert said == []
        page.keyboard.press("Escape")
        assert button.get_attribute("aria-expanded") == "false"
        assert button.evaluate("e => e === document.activeElement")


MOVES = """() => [...document.querySelectorAll("*")].filter((e) => [null, "::before", "::after"].some((p) => {
  const s = getComputedStyle(e, p);
  return [...s.transitionDuration.split(","), ...s.animationDuration.split(",")].some((d) => parseFloat(d) > 0)
    && (s.animationName !== "none" || s.transitionProperty !== "none");
})).length"""


def test_nothing_moves_for_a_reader_who_asks_for_that(browser: Browser, home: str) -> None:
    counts = {}
    for motion in ("reduce", "no-preference"):
        page = browser.new_page(reduced_motion=motion)
        page.goto(home + PAGES["chapter"], wait_until="load")
        counts[motion] = page.evaluate(MOVES)
        page.close()
    assert counts["reduce"] == 0
    assert counts["no-preference"] > 0


def test_the_index_of_the_search_comes_when_somebody_searches(browser: Browser, home: str) -> None:
    asked: list[str] = []
    context = browser.new_context()
    context.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    page = context.new_page()
    arrive(page, home)
    assert "index.json" not in asked
    page.keyboard.press("/")
    page.keyboard.type("<img src=x onerror=alert(1)> inception")
    page.locator(".md-search-result__link").first.wait_for()
    assert "index.json" in asked
    context.close()
