"""The picker in a real Chromium: its answers are the package's, word for word."""

import json
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from lineage_lab.comparing.choosing import CAUTIONS, GOALS, PICKS, Choice, candidates, pick
from tests.site.browser import USES, arrive, touched

PAGE = "choosing/"
LATENCY = Path(__file__).parents[2] / "docs" / "results" / "latency.json"
LIMITS = {"megabytes": 600, "gmacs": 40, "gib": 60, "milliseconds": 3000}


@pytest.fixture(scope="module")
def networks() -> tuple[object, ...]:
    rows = json.loads(LATENCY.read_text(encoding="utf-8"))["rows"]
    return candidates({name: row["median"] for name, row in rows.items()})


def told(answers: tuple[Choice, ...]) -> list[list[object]]:
    return [[a.candidate.name, a.candidate.weights, list(a.gains), list(a.costs)] for a in answers]


PICK = """asked => window.lineageLab.pick(asked).map(
  a => [a.candidate.name, a.candidate.weights, a.gains, a.costs])"""


def wishes(count: int) -> list[dict[str, object]]:
    draw = random.Random(1998)
    found = []
    for _ in range(count):
        wish: dict[str, object] = {"first": draw.choice(GOALS)}
        for limit, high in LIMITS.items():
            if draw.random() < 0.35:
                # As likely small as large, often just what a network has.
                wish[limit] = round(high * draw.random() ** 3, 1)
        if draw.random() < 0.5:
            wish["top1"] = draw.choice((56, 70, 75.1, 77.692, 80, 81, 82.52, 84, 85.304, 90))
        if draw.random() < 0.3:
            wish["commercial"] = True
        wish["kind"] = draw.choice(("any", "any", "convnet", "transformer"))
        found.append(wish)
    return found


def test_the_page_answers_as_the_package_does(page: Page, networks: tuple[object, ...]) -> None:
    asked = wishes(400)
    answered = [told(pick(networks, **wish)) for wish in asked]  # type: ignore[arg-type]
    assert sum(map(bool, answered)) > 200
    assert any(not answers for answers in answered)
    for wish, expected in zip(asked, answered, strict=True):
        assert page.evaluate(PICK, wish) == expected, wish


def test_each_limit_at_the_very_value_of_a_network(
    page: Page, networks: tuple[object, ...]
) -> None:
    for candidate in networks:
        for limit in LIMITS:
            value = getattr(candidate, limit)
            if value is None:
                continue
            wish = {"first": "accuracy", limit: value}
            expected = told(pick(networks, **wish))  # type: ignore[arg-type]
            assert page.evaluate(PICK, wish) == expected, wish


def heading(page: Page) -> str:
    return page.locator("#ll-answers h3").first.text_content() or ""


def test_the_form_answers_by_mouse(page: Page) -> None:
    assert heading(page) == "Take ResNet-50"
    first = page.locator("#ll-answers .ll-answer").first
    text = first.text_content() or ""
    assert PICKS["resnet50"][1:] in text
    assert CAUTIONS["resnet"] in text
    assert first.locator("code").text_content() == 'create_model("resnet50", weights="imagenet")'
    page.locator("#ll-picker label", has_text="accuracy").first.click()
    assert heading(page) == "Take ViT-B/16 at 384"
    page.locator("#ll-picker [name=commercial]").check()
    assert heading(page) == "Take ConvNeXt-Large"
    page.locator("#ll-picker [name=megabytes]").fill("50")
    assert heading(page) == "Take EfficientNet-B3"
    page.locator("#ll-picker [name=kind]").select_option("transformer")
    assert heading(page) == "No network is within all of these limits"
    advice = page.locator("#ll-answers p").text_content() or ""
    assert advice == "Any one of these, left open, gives an answer: file, kind."
    page.locator("#ll-picker button[type=reset]").click()
    page.wait_for_timeout(50)
    assert heading(page) == "Take ResNet-50"


def test_the_form_answers_by_keyboard(page: Page) -> None:
    page.locator("#ll-picker [name=first]").first.focus()
    page.keyboard.press("ArrowRight")
    assert heading(page) == "Take ViT-B/16 at 384"
    page.keyboard.press("Tab")
    page.keyboard.type("90")
    assert heading(page) == "No network is within all of these limits"
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    for _ in range(6):  # over the other four limits and the kind
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert heading(page) == "Take ConvNeXt-Large"
    page.keyboard.press("Enter")  # a form that is sent must not leave the page
    assert heading(page) == "Take ConvNeXt-Large"


def test_the_lines_of_code_on_the_page_are_those_of_the_package(page: Page) -> None:
    for goal in GOALS:
        page.locator(f"#ll-picker [value={goal}]").check()
        for code in page.locator("#ll-answers code").all():
            assert code.text_content() in {c.code for c in candidates()}


def test_an_answer_leads_to_its_chapter_where_it_is_written(page: Page, built_site: Path) -> None:
    data = json.loads(page.locator("#ll-data").text_content() or "")
    for link in data["chapters"].values():
        assert (built_site / "choosing" / link / "index.html").resolve().is_file()
    page.locator("#ll-picker [name=first]").first.check()
    for answer in page.locator("#ll-answers .ll-answer").all():
        name = re.split(r"[0-9_]", str(answer.get_attribute("data-row")))[0]
        assert answer.locator("a").count() == (name in data["chapters"])


def test_the_table_of_candidates_is_whole_and_sorts(page: Page) -> None:
    rows = page.locator("#ll-candidates tbody tr")
    assert rows.count() == len(candidates())
    page.locator("#ll-candidates th").nth(2).locator("button").click()
    shown = [float(r.locator("td").nth(2).text_content() or 0) for r in rows.all()]
    assert shown == sorted(shown)


def test_without_scripts_the_decision_list_answers(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + "choosing/")
    assert not page.locator("#ll-picker").is_visible()
    text = page.inner_text("article")
    for words in ("Nothing special", "take ResNet-50", "take ConvNeXt-Tiny", "take ViT-B/16"):
        assert words in text
    assert page.locator("#ll-candidates tbody tr:visible").count() == len(candidates())
    context.close()


def test_a_line_of_code_is_copied_after_every_answer(browser: Browser, home: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    arrive(page, home + PAGE)
    for goal in ("accuracy", "macs"):
        page.locator(f"#ll-picker [value={goal}]").check()
        first = page.locator("#ll-answers .ll-answer").first
        button = first.get_by_role("button", name="Copy")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
        assert page.evaluate("navigator.clipboard.readText()") == first.locator("code").inner_text()
        assert first.get_by_role("button").inner_text() == "Copied"
    context.close()


def test_a_change_is_told_in_a_line_not_by_all_the_answers(page: Page) -> None:
    """A screen reader reads aloud what is live: three cards at each key would be noise."""
    said = page.locator("#ll-picker output")
    assert said.get_attribute("aria-live") == "polite"
    assert page.locator("#ll-answers[aria-live], #ll-answers [aria-live]").count() == 0
    assert said.inner_text() == "Take ResNet-50, or ConvNeXt-Tiny, or EfficientNet-B0."
    page.locator("#ll-picker [name=megabytes]").fill("1")
    assert said.inner_text() == "No network is within all of these limits."


@pytest.mark.parametrize(("scheme", "width"), USES)
def test_the_picker_is_used_by_touch_and_asks_nobody(
    scheme: str, width: int, browser: Browser, home: str
) -> None:
    with touched(browser, home + PAGE, scheme, width) as (page, asked):
        page.locator("#ll-picker label", has_text="few MACs").tap()
        assert heading(page) == "Take EfficientNet-B0"
        page.locator("#ll-picker [name=top1]").tap()
        page.keyboard.type("82")
        assert heading(page) == "Take EfficientNet-B3"
        page.locator("#ll-picker [name=commercial]").tap()
        page.locator("#ll-picker [name=kind]").select_option("transformer")
        assert heading(page) == "No network is within all of these limits"
        page.locator("#ll-picker button[type=reset]").tap()
        page.wait_for_timeout(50)
        assert heading(page) == "Take ResNet-50"
        page.locator("#ll-candidates th").nth(2).locator("button").tap()
        assert asked == []
        page.locator("#ll-answers a").first.tap()
        page.wait_for_url("**/chapters/resnet/")


@pytest.mark.parametrize("typed", ["-1", "1e999", "e", "--", "1e-300", "99999999999999999999"])
def test_odd_numbers_do_no_harm(typed: str, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name in LIMITS:
        page.locator(f"#ll-picker [name={name}]").focus()
        page.keyboard.type(typed)
        assert heading(page)
        assert page.locator("#ll-answers .ll-answer").count() >= 1
    page.locator("#ll-picker button[type=reset]").click()
    page.wait_for_timeout(50)
    assert heading(page) == "Take ResNet-50"
    assert errors == []
