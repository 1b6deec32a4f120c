"""The page "Draw a digit" around its drawing: schemes, widths, loading, and no scripts at all."""

import re

import pytest
from playwright.sync_api import Browser, Route

from lineage_site.pages.draw_a_digit.drawings import PASSES
from tests.docs.harness.grammar import ROOT, read_page
from tests.site.browser import CHROMIUM, arrive
from tests.site.test_draw import draw, opened, part, shown

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PATH = "try/draw-a-digit/"
SEVEN = [[(70, 60), (200, 60), (130, 230)]]
# The colour that most of the ink has; at its edge, rounding moves it by one.
COLOUR = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = {};
  for (let i = 0; i < data.length; i += 4) {
    const colour = data.slice(i, i + 3).join();
    if (data[i + 3] === 255) found[colour] = (found[colour] ?? 0) + 1;
  }
  return Object.keys(found).sort((a, b) => found[b] - found[a])[0];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_fits_and_its_ink_is_seen_in_both_schemes(
    browser: Browser, home: str, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, home, color_scheme=scheme, viewport=size) as page:
        draw(page, SEVEN)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        for part_of in page.locator("#ll-draw, #ll-draw [data-part]").all():
            box = part_of.bounding_box()
            assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width)
        ink = {"light": "28,33,40", "dark": "230,233,238"}
        assert part(page, "canvas").evaluate(COLOUR) == ink[scheme]
        before = shown(page)
        page.locator("label.md-header__button[title]:visible").first.click()  # the other scheme
        other = ink["dark" if scheme == "light" else "light"]
        page.wait_for_function(f"() => ({COLOUR})(document.querySelector('#ll-draw canvas')) == "
                               f"'{other}'")  # fmt: skip
        assert part(page, "input").locator("canvas").evaluate(COLOUR) == other
        assert shown(page) == before  # the colour is no part of the drawing


def test_a_finger_can_hit_every_button(browser: Browser, home: str) -> None:
    with opened(browser, home, viewport={"width": 390, "height": 800}) as page:
        for button in page.locator("#ll-draw button").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24, button.get_attribute("aria-label")


def test_the_network_is_loaded_when_the_drawing_comes_into_view(
    browser: Browser, home: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 150})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.add_init_script("addEventListener('DOMContentLoaded', () => { "
                         "document.querySelector('h1').style.marginTop = '2000px'; })")  # fmt: skip
    arrive(page, home + PATH)
    assert not [url for url in asked if "/generated/" in url]
    part(page, "canvas").scroll_into_view_if_needed()
    page.locator("#ll-draw[data-ready]").wait_for()
    data = [url.removeprefix(home) for url in asked if "/generated/" in url]
    assert sorted(data) == [f"generated/digit/data/{n}" for n in
                            ("lenet5.bin", "lenet5.json", "samples.bin")]  # fmt: skip
    assert all(url.startswith(home.split("/lineage")[0]) for url in asked)
    context.close()


def test_what_is_drawn_before_the_network_is_there_is_answered(browser: Browser, home: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    held: list[Route] = []
    page.route("**/lenet5.bin", lambda route: held.append(route))
    page.goto(home + PATH)
    part(page, "canvas").scroll_into_view_if_needed()
    draw(page, SEVEN)
    assert part(page, "answer").inner_text().startswith("Loading")
    page.wait_for_timeout(200)
    held[0].continue_()
    page.locator("#ll-draw[data-ready]").wait_for()
    assert part(page, "answer").inner_text().startswith("This is a 7.")
    context.close()


def test_if_the_network_cannot_be_loaded_the_page_says_so_and_shows_the_picture(
    browser: Browser, home: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/lenet5.bin", lambda route: route.fulfill(status=404))
    arrive(page, home + PATH)
    assert "could not be loaded" in part(page, "answer").inner_text()
    assert page.locator("#ll-draw-still svg").is_visible()
    context.close()


def test_the_page_shows_what_its_python_prints(browser: Browser, home: str) -> None:
    text = (ROOT / "docs" / "try" / "draw-a-digit.md").read_text(encoding="utf-8")
    fences = [f for f in read_page(text).fences if f.output is not None]
    assert f"epochs={PASSES})" in fences[0].body
    (output,) = [f.output for f in fences if f.output and f.output.tolerance]
    printed = [float(n) for n in re.findall(r"\d+\.\d", output.body)]
    with opened(browser, home) as page:
        part(page, "samples").locator("button").nth(4).click()
        assert shown(page) == pytest.approx(printed, abs=float(output.tolerance or 0))
        assert min(range(10), key=shown(page).__getitem__) == printed.index(min(printed)) == 4


def test_without_scripts_one_digit_goes_through_all_maps(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PATH)
    assert not page.locator("#ll-draw").is_visible()
    still = page.locator("#ll-draw-still svg")
    assert still.is_visible()
    words = still.locator("text").all_text_contents()
    assert {"input", "C1", "S2", "C3", "S4", "C5", "F6"} <= set(words)
    # 32×32, the maps, C5 in one, F6 and two codes
    assert still.locator("mask").count() == 1 + 6 + 6 + 16 + 16 + 1 + 3
    told = [
        float(n) for n in re.findall(r": (\d+\.\d)", still.locator("desc").text_content() or "")
    ]
    assert len(told) == 10
    for distance in told:
        assert any(w.split()[0] == f"{distance:.1f}" for w in words), distance
    context.close()
