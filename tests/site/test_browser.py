"""The built site in a real Chromium: every page type, both schemes, wide and narrow."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.site.browser import CHROMIUM, arrive, tab
from tests.site.screenshot import PAGES
from tests.site.test_progress_kept import FORBIDDEN

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def page(browser: Browser, home: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    with tab(browser, home, **getattr(request, "param", {})) as opened:
        yield opened


SIZES = [
    {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    for scheme in ("light", "dark")
    for width in (1440, 390)
]


@pytest.mark.parametrize(
    "page", SIZES, indirect=True, ids=lambda o: f"{o['color_scheme']}-{o['viewport']['width']}"
)
def test_pages_are_quiet_private_and_fit(page: Page, home: str) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for name, path in PAGES.items():
        arrive(page, home + path)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} is {overflow} px wider than the window"
    assert said == []
    assert [url for url in asked if not url.startswith((home.split("/lineage")[0], "data:"))] == []


def test_both_schemes_look_different_and_the_toggle_switches(page: Page, home: str) -> None:
    page.emulate_media(color_scheme="light")
    arrive(page, home)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("label[for='__palette_1']").click()
    assert page.evaluate(background) != light


CANVAS = "[...document.querySelectorAll(\"meta[name='color-scheme']\")].map(m => m.content)"


def test_the_browser_knows_the_scheme_before_there_is_a_page_and_after_each_switch(
    page: Page, home: str
) -> None:
    """Scroll bars and the canvas follow it; said late, it has every element styled again."""
    for scheme, other in (("dark", "light"), ("light", "dark")):
        page.emulate_media(color_scheme=scheme)
        arrive(page, home + "404.html")
        page.evaluate("localStorage.clear()")  # what was chosen before
        arrive(page, home)
        assert page.evaluate(CANVAS) == [scheme]
        page.locator("[data-md-component=palette] label:not([hidden])").click()
        page.wait_for_function(f"other => String({CANVAS}) === other", arg=other)
        arrive(page, home)  # what was chosen is kept
        assert page.evaluate(CANVAS) == [other]


def test_where_nothing_may_be_stored_the_browser_knows_the_scheme_too(
    browser: Browser, home: str
) -> None:
    context = browser.new_context(color_scheme="dark")
    context.add_init_script(FORBIDDEN)
    page = context.new_page()
    arrive(page, home)
    assert page.evaluate(CANVAS) == ["dark"]
    context.close()


@pytest.mark.parametrize(("width", "seen"), [(1440, False), (1000, True)])
def test_the_menu_has_a_button_where_it_is_folded(
    browser: Browser, home: str, width: int, seen: bool
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    arrive(page, home + PAGES["chapter"])
    assert page.get_by_role("button", name="Menu").is_visible() is seen
    assert page.locator(".md-sidebar--primary").is_visible() is not seen
    page.close()


def test_figures_are_drawn_and_described(page: Page, home: str) -> None:
    arrive(page, home + PAGES["chapter"])
    figures = page.locator("figure.ll-figure svg[role=img]")
    assert figures.count() == 5
    for figure in figures.all():
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert len(figure.locator("desc").text_content() or "") > 60


def test_formulas_are_set(page: Page, home: str) -> None:
    arrive(page, home + PAGES["chapter"])
    page.wait_for_selector(".katex-display")
    assert page.locator(".katex-error").count() == 0
    assert page.locator(".arithmatex").count() == page.locator(".arithmatex .katex").count()


def test_search_finds_a_network(page: Page, home: str) -> None:
    arrive(page, home)
    page.keyboard.press("/")
    page.keyboard.type("lenet")
    result = page.locator(".md-search-result__link").first
    result.wait_for()
    assert "LeNet" in (result.text_content() or "")


COPY = """(index) => {
  const blocks = [...document.querySelectorAll('.highlight')].filter(b => !b.closest('.doc'));
  const python = blocks.filter(b => b.classList.contains('language-python'));
  const block = index < 0 ? blocks.find(b => b.classList.contains('continues')) : python[index];
  return [block.querySelector('code').textContent, python[0].querySelector('code').textContent];
}"""


def test_a_copied_snippet_brings_its_imports_and_its_chain_and_runs(
    browser: Browser, home: str
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    arrive(page, home + PAGES["chapter"])
    own, imports = page.evaluate(COPY, -1)
    block = page.locator(".highlight.continues").first
    block.hover()
    block.locator("button.md-clipboard, .md-code__button").first.click()
    page.wait_for_timeout(200)
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied.startswith(imports.rstrip())
    assert own.rstrip() in copied
    assert "anatomy = describe(LeNet5(), (1, 32, 32))" in copied  # what it goes on from
    assert "lenet5  60,000" not in copied
    exec(compile(copied, "copied", "exec"), {"__name__": "copied"})


def test_without_scripts_the_chapter_can_be_read(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PAGES["chapter"])
    assert "The problem" in page.inner_text("body")
    assert page.locator("figure.ll-figure svg").first.is_visible()
    context.close()


def test_the_lab_can_be_downloaded_and_was_executed(page: Page, home: str) -> None:
    arrive(page, home + PAGES["lab"])
    assert page.locator("a[href$='.ipynb']").count() >= 1
    assert page.locator(".ll-picture img").count() >= 3
