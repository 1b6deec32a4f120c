"""A block, line by line, in a real Chromium: the steps' sums are `describe`'s, exactly."""

import inspect

import pytest
import torch
from playwright.sync_api import Browser, Page

from lineage_lab.registry import create_model
from lineage_site.pages.block_anatomy.drawings import BLOCKS, QUANTITIES, Block, measured
from tests.site.browser import USES, touched

PAGE = "try/block-anatomy/"


def fact(page: Page, name: str) -> str:
    return page.locator(f"#ll-anatomy [data-fact={name}]").text_content() or ""


def number(page: Page, quantity: str) -> int:
    return int(fact(page, quantity).replace(",", ""))


def said(page: Page) -> str:
    return page.locator("#ll-anatomy output").text_content() or ""


def choose(page: Page, block: Block) -> None:
    page.locator("[name=block]").select_option(label=block.title)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: f"{b.network}/{b.path}")
def test_the_steps_of_the_page_add_up_to_describe(page: Page, block: Block) -> None:
    choose(page, block)
    truth = measured(block)
    sums, shape = dict.fromkeys(QUANTITIES, 0), ""
    for index, step in enumerate(truth.steps):
        assert said(page).startswith(f"Step {index + 1} of {len(truth.steps)}: ")
        for quantity in QUANTITIES:
            sums[quantity] += number(page, quantity)
        shape = fact(page, "shape")
        assert shape == " × ".join(map(str, step.shape))
        if index + 1 < len(truth.steps):
            page.locator("[name=next]").click()
    assert page.locator("[name=next]").is_disabled()
    assert sums == {quantity: getattr(truth.anatomy, quantity) for quantity in QUANTITIES}
    with torch.device("meta"):
        part = create_model(block.network).get_submodule(block.path)
        out = part.eval()(torch.empty(truth.inputs))
    assert shape == " × ".join(map(str, out.shape))  # the last step gives what the block gives
    for quantity in QUANTITIES:
        total = page.locator(f"[data-total={quantity}]").text_content() or ""
        assert total.startswith(f"{sums[quantity]:,} ")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: f"{b.network}/{b.path}")
def test_the_code_is_what_python_runs(page: Page, block: Block) -> None:
    choose(page, block)
    model = create_model(block.network).get_submodule(block.path)
    code = inspect.unwrap(block.built_by or type(model).forward)
    shown = page.locator("#ll-code").text_content() or ""
    assert shown.strip() == inspect.cleandoc("\n" + inspect.getsource(code)).strip()


def test_keys_go_from_step_to_step(page: Page) -> None:
    page.locator("#ll-code").focus()
    steps = len(measured(next(b for b in BLOCKS if b.network == "resnet50")).steps)
    for key, place in (("ArrowUp", 1), ("ArrowDown", 2), ("ArrowRight", 3), ("ArrowLeft", 2),
                       ("End", steps), ("ArrowDown", steps), ("Home", 1)):  # fmt: skip
        page.keyboard.press(key)
        assert said(page).startswith(f"Step {place} of {steps}: ")
    assert page.locator("[name=back]").is_disabled()


def test_a_click_on_a_line_or_on_a_bar_goes_there(page: Page) -> None:
    line = page.locator("#ll-code .ll-runs").last
    index = line.get_attribute("data-line")
    line.click()
    assert page.locator("#ll-code .ll-now").get_attribute("data-line") == index
    piece = page.locator("#ll-shares .ll-piece").first
    step = int(piece.get_attribute("data-step") or "")
    piece.click()
    assert said(page).startswith(f"Step {step + 1} of ")
    assert page.locator("#ll-code mark").count() == 1


@pytest.mark.parametrize(("scheme", "width"), USES)
def test_a_finger_steps_in_every_scheme_and_width(
    browser: Browser, home: str, scheme: str, width: int
) -> None:
    with touched(browser, home + PAGE, scheme, width) as (page, noted):
        page.locator("[name=next]").tap()
        assert said(page).startswith("Step 2 of ")
        page.locator("#ll-code .ll-runs").last.tap()
        assert not said(page).startswith("Step 2 of ")
        assert noted == []


def test_a_button_of_the_prose_shows_its_block(page: Page) -> None:
    titles = {f"{block.network}/{block.path}": block.title for block in BLOCKS}
    for button in page.locator(".ll-show").all():
        button.click()
        chosen = page.locator("[name=block] option:checked").inner_text()
        assert chosen == titles[str(button.get_attribute("data-block"))]


def test_without_scripts_tables_say_the_same(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PAGE)
    assert not page.locator("#ll-anatomy").is_visible()
    assert page.locator(".ll-show:visible").count() == 0
    assert page.locator(".ll-figure svg").is_visible()
    for block in BLOCKS:
        truth = measured(block)
        folded = page.locator(f"details[data-block='{block.network}/{block.path}']")
        folded.locator("summary").click()
        rows = [row.locator("th, td").all_inner_texts() for row in folded.locator("tbody tr").all()]
        assert len(rows) == len(truth.steps) + 1
        for column, quantity in enumerate(QUANTITIES, 3):
            costs = [int(row[column].replace(",", "")) for row in rows]
            assert sum(costs[:-1]) == costs[-1] == getattr(truth.anatomy, quantity)
    context.close()
