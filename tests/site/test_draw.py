"""Draw a digit in a real Chromium: by mouse, finger, pen and keyboard, in both schemes, on a phone.

The oracle is the package: the picture that the page says it gives the network is read from the
page, given to the package's network with the page's weights, and its answer compared with what
the page shows. `test_draw_oracle.py` holds the arithmetic itself.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, CDPSession, Locator, Page

from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import C3_TABLE, LeNet5, normalize_ink
from tests.site.browser import CHROMIUM, tab
from tests.site.test_draw_oracle import by_torch, facts, model  # noqa: F401  (two are fixtures)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PHONE = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 800}}
SEVEN = [[(70, 60), (200, 60), (130, 230)]]
BAR = [[(110, 140), (200, 140)]]
ZIGZAG = [[(30, 30), (250, 40), (30, 90), (250, 130), (30, 180), (250, 210), (40, 250)]] * 2
# The picture's ink is the canvas's alpha channel; read from a copy, which Chromium finds quicker.
PICTURE = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data]
    .filter((_, i) => i % 4 === 3);
}"""


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#ll-draw [data-part='{name}']")


LOUD = ("error", "warning")


@contextmanager
def opened(browser: Browser, home: str, **options: Any) -> Iterator[Page]:
    """The page with its network loaded and its drawing in view; it must stay quiet to the end."""
    said: list[str] = []
    with tab(browser, home, **options) as page:
        page.on("console", lambda m: said.append(m.text) if m.type in LOUD else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(home + "try/draw-a-digit/")
        page.locator("#ll-draw[data-ready]").wait_for()
        part(page, "canvas").scroll_into_view_if_needed()
        yield page
    assert said == []


@pytest.fixture
def page(browser: Browser, home: str) -> Iterator[Page]:
    with opened(browser, home) as page:
        yield page


def draw(page: Page, strokes: list[list[tuple[int, int]]], *, lift: bool = True) -> None:
    """With the mouse; points are those of the drawing, 280 wide."""
    part(page, "canvas").scroll_into_view_if_needed()
    box = part(page, "canvas").bounding_box()
    assert box is not None
    for stroke in strokes:
        for place, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + 1 + x, box["y"] + 1 + y, steps=1 if place == 0 else 10)
            if place == 0:
                page.mouse.down()
        if lift:
            page.mouse.up()


def given(page: Page) -> torch.Tensor:
    """The picture that the page shows as the network's input."""
    ink = part(page, "input").locator("canvas").evaluate(PICTURE)
    return torch.tensor(ink, dtype=torch.uint8).view(1, 1, 32, 32)


def shown(page: Page) -> list[float]:
    return [float(t) for t in part(page, "bars").locator(".ll-draw-number").all_text_contents()]


def strokes_ink(page: Page) -> int:
    return int(sum(v > 0 for v in part(page, "canvas").evaluate(PICTURE)))


def holds(page: Page, network: LeNet5) -> list[float]:
    """The page's bars, marks and sentence are the package's answer to the picture shown."""
    with torch.no_grad():
        expected = network.distances(normalize_ink(given(page)))[0].tolist()
    assert shown(page) == pytest.approx(expected, abs=0.051)  # one decimal is shown
    first, second = sorted(range(10), key=expected.__getitem__)[:2]
    marks = part(page, "bars").locator("td:last-child").all_text_contents()
    assert {i: m for i, m in enumerate(marks) if m} == {first: "nearest", second: "runner-up"}
    sentence = part(page, "answer").inner_text()
    numbers = re.findall(r"\d+\.\d", sentence)
    assert [float(n) for n in numbers] == [shown(page)[first], shown(page)[second]]
    assert f"the runner-up is {second}" in sentence
    widths = [
        float(bar.evaluate("e => e.style.width").removesuffix("%"))
        for bar in part(page, "bars").locator(".ll-draw-bar").all()
    ]
    assert widths == pytest.approx([min(100, d / 2.5) for d in expected], abs=0.1)
    return expected


def test_a_mouse_draws_a_seven_and_the_answer_is_the_packages(page: Page, model: LeNet5) -> None:
    assert "Nothing is drawn" in part(page, "answer").inner_text()
    holds(page, model)
    draw(page, SEVEN)
    plain = holds(page, model)
    assert part(page, "answer").inner_text().startswith("This is a 7.")
    draw(page, BAR)
    assert holds(page, model) != plain
    ink = given(page)[0, 0, 2:30, 2:30].nonzero()
    assert (ink.max(0).values - ink.min(0).values).max() == 19  # fitted into 20 by 20


def test_a_scribble_lies_far_from_every_code(
    page: Page, model: LeNet5, facts: dict[str, Any]
) -> None:
    draw(page, ZIGZAG)
    assert min(holds(page, model)) > facts["facts"]["limit"]
    assert part(page, "answer").inner_text().startswith("Far from every code.")


def test_the_answer_changes_while_the_pen_is_down_and_is_read_aloud_when_it_lifts(
    page: Page, model: LeNet5
) -> None:
    blank = shown(page)
    draw(page, SEVEN, lift=False)
    assert holds(page, model) != blank
    assert part(page, "answer").get_attribute("aria-busy") == "true"
    page.mouse.up()
    assert part(page, "answer").get_attribute("aria-busy") == "false"
    before = shown(page)
    part(page, "canvas").hover(position={"x": 30, "y": 250})
    assert shown(page) == before  # nothing is drawn by a lifted pen


def test_undo_goes_back_step_by_step_and_clear_can_be_undone(page: Page) -> None:
    undo, clear = part(page, "undo"), part(page, "clear")
    assert undo.is_disabled()
    assert clear.is_disabled()
    blank = shown(page)
    draw(page, SEVEN)
    seven, ink = shown(page), strokes_ink(page)
    draw(page, BAR)
    assert strokes_ink(page) > ink
    undo.click()
    assert (shown(page), strokes_ink(page)) == (seven, ink)
    clear.click()
    assert (shown(page), strokes_ink(page)) == (blank, 0)
    undo.click()
    assert shown(page) == seven
    undo.click()
    assert shown(page) == blank
    assert undo.is_disabled()


def test_a_second_finger_draws_nothing(browser: Browser, home: str) -> None:
    with opened(browser, home, **PHONE) as page:
        session = page.context.new_cdp_session(page)
        box = part(page, "canvas").bounding_box()
        assert box is not None
        first = {"x": box["x"] + 100, "y": box["y"] + 100, "id": 0}
        for kind, down in (("touchStart", 0), ("touchStart", 50), ("touchMove", 150)):
            second = {"x": box["x"] + 220, "y": box["y"] + down, "id": 1}
            points = [first, second] if down else [first]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert part(page, "answer").get_attribute("aria-busy") == "true"
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        rows, columns = (
            torch.tensor(part(page, "canvas").evaluate(PICTURE)).view(280, 280).nonzero().T
        )
        assert 85 < int(rows.min()) < int(rows.max()) < 115  # the first one's dot
        assert 85 < int(columns.min()) < int(columns.max()) < 115


def touch(session: CDPSession, kind: str, x: float, y: float, pen: str) -> None:
    """A finger or a pen, as the browser gets it from the system."""
    if pen:
        event = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, "pointerType": pen, **event})
    else:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.parametrize(
    ("kinds", "pen"),
    [
        (("touchStart", "touchMove", "touchEnd"), ""),
        (("mousePressed", "mouseMoved", "mouseReleased"), "pen"),
    ],
    ids=["finger", "pen"],
)
def test_a_finger_and_a_pen_draw_on_a_phone_and_the_page_stays(
    browser: Browser, home: str, model: LeNet5, kinds: tuple[str, str, str], pen: str
) -> None:
    with opened(browser, home, **PHONE) as page:
        page.evaluate(
            "document.addEventListener('pointermove', e => { window.seen = e.pointerType; })"
        )
        top, session = page.evaluate("scrollY"), page.context.new_cdp_session(page)
        box = part(page, "canvas").bounding_box()
        assert box is not None
        points = [(70 + i * 13, 60) for i in range(10)] + [
            (200 - i * 7, 60 + i * 17) for i in range(11)
        ]
        for place, (x, y) in enumerate(points):
            touch(session, kinds[place > 0], box["x"] + 1 + x, box["y"] + 1 + y, pen)
        touch(session, kinds[2], box["x"] + 131, box["y"] + 231, pen)
        assert page.evaluate("window.seen") == (pen or "touch")
        holds(page, model)
        assert part(page, "answer").inner_text().startswith("This is a 7.")
        assert page.evaluate("scrollY") == top  # the finger draws, it does not scroll


def test_the_keyboard_draws_too(page: Page, model: LeNet5) -> None:
    blank = shown(page)
    part(page, "canvas").focus()
    press = page.keyboard.press
    for key, times in (("ArrowUp", 8), ("ArrowLeft", 6)):
        for _ in range(times):
            press(key)
    assert part(page, "cursor").is_visible()
    assert shown(page) == blank  # the pen is up
    press("Space")
    for _ in range(12):
        press("ArrowRight")
    for step in range(17):
        press("ArrowDown")
        if step % 2:
            press("ArrowLeft")
    press("Space")
    assert part(page, "answer").inner_text().startswith("This is a 7.")
    seven = holds(page, model)
    press("Shift+ArrowUp")
    press("ArrowUp")
    assert shown(page) == pytest.approx(seven, abs=0.051)  # it is up again
    press("Control+z")
    assert shown(page) == blank
    page.keyboard.press("Tab")
    assert not part(page, "cursor").is_visible()


def test_the_samples_are_the_held_out_digits_and_can_be_drawn_on(
    page: Page, model: LeNet5, facts: dict[str, Any]
) -> None:
    _, (images, labels) = split_digits(0)
    buttons = part(page, "samples").locator("button")
    assert buttons.count() == len(facts["samples"]) == 13
    for digit in range(10):
        buttons.nth(digit).click()
        assert torch.equal(given(page)[0], images[labels == digit][0])
        holds(page, model)
        assert buttons.nth(digit).get_attribute("aria-pressed") == "true"
    for index, sample in enumerate(facts["samples"][10:], 10):
        buttons.nth(index).click()
        distances = holds(page, model)
        assert distances.index(min(distances)) == sample["answer"] != sample["label"]
        label = buttons.nth(index).get_attribute("aria-label") or ""
        assert label.startswith(f"{sample['label']} as {sample['answer']}: ")  # what is seen first
    buttons.nth(7).click()
    before = given(page)
    assert strokes_ink(page) == 100 * int((before > 0).sum())  # ten by ten for a pixel
    draw(page, BAR)
    assert strokes_ink(page) > 100 * int((before > 0).sum())
    assert (given(page).int() - before.int()).abs().max() > 100
    holds(page, model)
    part(page, "undo").click()
    assert torch.equal(given(page), before)


def test_the_samples_are_chosen_by_keyboard(page: Page) -> None:
    buttons = part(page, "samples").locator("button")
    buttons.first.focus()
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    pressed = part(page, "samples").locator("[aria-pressed=true]")
    assert pressed.count() == 1
    assert pressed.get_attribute("aria-label") == buttons.nth(11).get_attribute("aria-label")
    assert part(page, "samples").locator("button[tabindex='0']").count() == 1


def test_the_picture_is_moved_pixel_by_pixel_to_the_edge(page: Page, model: LeNet5) -> None:
    part(page, "samples").locator("button").nth(3).click()
    start = given(page)[0, 0]
    page.get_by_role("button", name="right", exact=True).click(click_count=3)
    page.get_by_role("button", name="up", exact=True).press("Enter")
    assert part(page, "moved").inner_text() == "3 right, 1 up"
    moved = torch.zeros_like(start)
    moved[:-1, 3:] = start[1:, :-3]
    assert torch.equal(given(page)[0, 0], moved)
    holds(page, model)
    page.get_by_role("button", name="left", exact=True).click(click_count=20)
    assert part(page, "moved").inner_text() == "8 left, 1 up"
    part(page, "samples").locator("button").nth(3).click()
    assert part(page, "moved").inner_text() == "not moved"
    assert torch.equal(given(page)[0, 0], start)


def lit(page: Page, layer: str) -> list[int]:
    return [
        int(b.get_attribute("data-map") or -1) for b in part(page, layer).locator(".ll-on").all()
    ]


def test_pointing_at_a_map_of_c3_lights_what_it_looks_at(page: Page) -> None:
    for index in (0, 7, 12, 15):
        part(page, "C3").locator("button").nth(index).hover()
        assert (lit(page, "C3"), lit(page, "S2")) == ([index], list(C3_TABLE[index]))
        assert re.findall(r"\d+", part(page, "links").inner_text().replace("C3", "").replace("S2", "")) == [
            str(n) for n in (index, *C3_TABLE[index])]  # fmt: skip
    page.locator("h1").hover()
    assert lit(page, "C3") == lit(page, "S2") == []
    part(page, "S2").locator("button").nth(4).hover()
    assert lit(page, "C3") == [i for i, row in enumerate(C3_TABLE) if 4 in row]


def test_so_does_the_keyboard_and_a_finger(browser: Browser, home: str) -> None:
    with opened(browser, home, **PHONE) as page:
        part(page, "C3").locator("button").nth(9).tap()
        assert lit(page, "S2") == list(C3_TABLE[9])
        page.keyboard.press("ArrowRight")
        assert (lit(page, "C3"), lit(page, "S2")) == ([10], list(C3_TABLE[10]))
        page.keyboard.press("Tab")
        assert lit(page, "S2") == []
        button = part(page, "C3").locator("button").nth(2)
        button.evaluate("b => b.click()")  # where a tap gives no focus, as on an iPhone
        assert lit(page, "S2") == list(C3_TABLE[2])


def test_table_1_stands_under_the_maps(page: Page) -> None:
    for place, row in zip(part(page, "C3").locator("[data-map]").all(), C3_TABLE, strict=True):
        assert place.locator(".ll-draw-taken").all_text_contents() == [str(n) for n in row]


def test_every_map_is_drawn_as_the_package_has_it(page: Page, model: LeNet5) -> None:
    part(page, "samples").locator("button").nth(8).click()
    draw(page, BAR)
    values = by_torch(model, given(page))
    for layer, count in {"C1": 6, "S2": 6, "C3": 16, "S4": 16, "C5": 1, "F6": 1}.items():
        canvases = part(page, layer).locator("canvas").all()[:count]
        found = torch.tensor([c.evaluate(PICTURE) for c in canvases]).flatten()
        high = 1 if layer == "F6" else 1.7159  # full colour; bare paper is -high
        expected = 255 * (values[layer][0].clamp(-high, high) / high + 1) / 2
        assert len(found) == len(expected), layer
        assert (found - expected).abs().max() < 0.6, layer
    codes, distances = model.output.codes, values["distances"][0].tolist()
    nearest = sorted(range(10), key=distances.__getitem__)[:2]
    figures = part(page, "F6").locator("figure").all()[1:]
    for digit, figure in zip(nearest, figures, strict=True):
        assert figure.locator("canvas").evaluate(PICTURE) == (codes[digit] > 0).mul(255).tolist()
        assert f"the code of {digit}, at {distances[digit]:.1f}" in figure.inner_text()
