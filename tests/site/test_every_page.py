"""Every page of the built site in Chromium: private, under its policy, for everyone, light.

Each page is opened once, cold, wide and light; its controls are used; then it is made narrow and
dark. The page types are opened in the other two settings too. What is looked at is in inspect.js;
what a page may weigh, in budgets.toml.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.docs.harness import plugin
from tests.site.browser import CHROMIUM, arrive, served
from tests.site.screenshot import PAGES

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

HERE = Path(__file__).parent
BUDGETS = plugin.BUDGETS["site"]
AXE = (HERE / "vendor/axe.min.js").read_text(encoding="utf-8")
INSPECT = (HERE / "inspect.js").read_text(encoding="utf-8")
# Counts from the first paint on what moved, and what the policy refused.
WATCH = """
window.moved = []; window.refused = [];
new PerformanceObserver((list) => window.moved.push(...list.getEntries().map((e) => [e.value,
  e.sources.map((s) => s.node && (s.node.outerHTML || s.node.textContent || "").slice(0, 80))])))
  .observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (e) =>
  window.refused.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
"""


def addresses(site: Path) -> list[str]:
    """All pages of the site, as paths."""
    found = (file.parent.relative_to(site).as_posix() for file in site.rglob("index.html"))
    return [*sorted("" if path == "." else f"{path}/" for path in found), "404.html"]


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page with nothing cached, and a list of what it does that it should not."""
    context = browser.new_context(reduced_motion="reduce", **options)
    page = context.new_page()
    said: list[str] = []
    origin = address.split("/lineage-lab/")[0]
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: dialog.dismiss())
    context.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((f"{origin}/", "data:", "blob:"))
            else said.append(f"asked for {request.url}")
        ),
    )
    page.add_init_script(WATCH)
    if "/try/" in address:  # what is touched there comes from a file that its script fetches
        arrive(page, address)
    else:
        page.goto(address, wait_until="load")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate(INSPECT)
    yield page, said
    context.close()


def moved(page: Page) -> list[Any]:
    page.evaluate("new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")
    shifts = page.evaluate("window.moved")
    return shifts if sum(value for value, _ in shifts) > BUDGETS["layout_shift"] else []


def looked_at(page: Page) -> list[str]:
    """What axe, and our own look at the figures' contrast, find on the page as it stands."""
    contrast = page.evaluate("site.contrast()")
    return [*contrast["bad"], *page.evaluate("site.axe()")]


def test_every_page(browser: Browser, home: str, built_site: Path) -> None:
    wrong: dict[str, list[Any]] = {}
    for path in addresses(built_site):
        options = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
        with opened(browser, home + path, **options) as (page, said):
            bad = wrong.setdefault(path, [])
            bad += [f"moved by {value:.4f}: {what}" for value, what in moved(page)]
            weight = page.evaluate("site.bytes()") / 1000
            kind = {"chapters": "chapter", "try": "try"}.get(path.partition("/")[0], "page")
            if weight > BUDGETS[f"{kind}_kilobytes"]:
                bad.append(f"{weight:.0f} kB transferred")
            bad += page.evaluate("site.unnamed()")
            page.evaluate("site.use()")
            page.evaluate("site.thin()")
            page.evaluate(AXE)
            bad += [f"wide, light: {each}" for each in looked_at(page)]
            for width in (640, 390):  # 1280 pixels at 200 %, and a phone
                page.set_viewport_size({"width": width, "height": 844})
                if (over := page.evaluate("site.overflow()")) > 0:
                    bad.append(f"{over} px wider than a window of {width}")
            page.evaluate("site.scheme('slate')")
            page.wait_for_timeout(120)  # what scrolls now is found
            bad += [f"narrow, dark: {each}" for each in looked_at(page)]
            bad += [*said, *page.evaluate("window.refused")]
    told = [f"{path or 'home'}: {each}" for path, bad in wrong.items() for each in bad]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_row_that_arrives_late_moves_nothing(
    browser: Browser, built_site: Path, width: int
) -> None:
    with served(built_site, parts=60) as home:
        for path in ("api/", "references/", "verified/"):
            with opened(browser, home + path, viewport={"width": width, "height": 900}) as (
                page,
                _,
            ):
                assert moved(page) == [], path


def test_the_look_at_contrast_sees_a_pale_text(browser: Browser, home: str) -> None:
    with opened(browser, home + PAGES["chapter"]) as (page, _):
        assert page.evaluate("site.contrast().looked") > 50
        assert page.evaluate("site.contrast().bad") == []
        page.evaluate("document.querySelector('.md-content svg text').style.fill = '#999'")
        assert len(page.evaluate("site.contrast().bad")) == 1


@pytest.mark.parametrize("scheme", ["default", "slate"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_search_and_the_menu_are_for_everyone_while_open(
    browser: Browser, home: str, scheme: str, width: int
) -> None:
    with opened(browser, home, viewport={"width": width, "height": 900}) as (page, said):
        page.evaluate("name => site.scheme(name)", scheme)
        page.evaluate(AXE)
        page.keyboard.press("/")
        page.keyboard.type("inception")
        page.locator(".md-search-result__link").first.wait_for()
        # The results' tags are landmarks until the page is idle.
        page.wait_for_function("() => !document.querySelector('.md-search-result nav:not([role])')")
        assert page.evaluate("site.axe()") == []
        page.keyboard.press("Escape")
        if width < 1220:
            page.get_by_role("button", name="Menu").focus()
            page.keyboard.press("Enter")
            page.locator(".md-sidebar--primary .md-nav__link:visible").first.wait_for()
            assert page.evaluate("site.axe()") == []
        assert [*said, *page.evaluate("window.refused")] == []


@pytest.mark.parametrize("name", PAGES)
def test_each_page_type_in_the_other_two_settings(browser: Browser, home: str, name: str) -> None:
    for width, scheme in ((1440, "dark"), (390, "light")):
        options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
        with opened(browser, home + PAGES[name], **options) as (page, _):
            assert moved(page) == []
            page.evaluate("site.thin()")
            page.evaluate(AXE)
            page.wait_for_timeout(120)
            assert looked_at(page) == []
