"""What one unit sees, in a real Chromium: the numbers are `describe`'s, whatever moves the unit."""

import re
from itertools import pairwise

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page

from lineage_lab import create_model, describe
from lineage_lab.anatomy.forward import Layer
from lineage_lab.registry import entry
from lineage_site.pages.receptive_fields.drawings import NETWORKS
from tests.rows import each
from tests.site.browser import USES, touched

PAGE = "try/receptive-fields/"
SEES = re.compile(r"columns (−?\d+) to (−?\d+), rows (−?\d+) to (−?\d+)")


def described(name: str) -> tuple[Layer, ...]:
    with torch.device("meta"):
        model = create_model(name)
    return tuple(describe(model, entry(name).input_size).layers)


def layers_of(name: str) -> dict[str, Layer]:
    return {layer.name: layer for layer in described(name)}


def fact(page: Page, name: str) -> str:
    told = page.locator(f"#ll-fields [data-fact={name}]").text_content() or ""
    return told.replace("−", "-")


def choose(page: Page, name: str) -> list[str]:
    page.locator("[name=network]").select_option(label=NETWORKS[name])
    return [text.split(":")[0] for text in page.locator("[name=layer] option").all_inner_texts()]


def said(page: Page) -> str:
    return page.locator("#ll-fields output").text_content() or ""


def seen(page: Page) -> list[int]:
    """First and last column and row that the page says the unit sees."""
    found = SEES.search(said(page))
    assert found, said(page)
    return [int(text.replace("−", "-")) for text in found.groups()]


def drawn(page: Page) -> list[float]:
    box = page.locator("#ll-stage .ll-own:not(.ll-under)")
    return [float(box.get_attribute(name) or "") for name in ("x", "y", "width", "height")]


@pytest.mark.parametrize("name", each(NETWORKS, 2))
def test_the_page_shows_what_describe_finds(page: Page, name: str) -> None:
    layers, names = layers_of(name), choose(page, name)
    sample = sorted({0, len(names) - 1, *range(0, len(names), 4)})
    for index in sample:
        page.locator("[name=layer]").select_option(index=index)
        layer = layers[names[index]]
        assert said(page).startswith(f"{layer.name}, ")
        if layer.kind == "Attention":
            assert fact(page, "size") == "the whole picture"
            side = entry(name).input_size[-1]
            assert drawn(page) == [0, 0, side, side]
            continue
        field, units = layer.field, layer.output_shape[-1]
        assert field
        assert fact(page, "size") == f"{field.size} × {field.size} px"
        assert fact(page, "stride") == f"{field.stride} px"
        assert fact(page, "left") == f"{field.left} px"
        assert fact(page, "units") == f"{units} × {units}"
        page.locator("#ll-stage").focus()
        page.keyboard.press("End")
        last = field.left + (units - 1) * field.stride
        assert seen(page) == [last, last + field.size - 1] * 2
        assert drawn(page) == [last, last, field.size, field.size]


def test_how_much_is_inside_the_picture_is_counted_pixel_by_pixel(page: Page) -> None:
    choose(page, "vgg16")
    side = entry("vgg16").input_size[-1]
    page.locator("[name=layer]").select_option(label="stages.2.6: 2×2 max pooling, stride 2")
    stage = page.locator("#ll-stage")
    stage.focus()
    stage.press("Home")
    for key in ("", "ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowUp", "ArrowUp"):
        if key:
            stage.press(key)
        left, right, top, bottom = seen(page)
        place = torch.zeros(2 * side, 2 * side, dtype=torch.bool)  # the picture in its middle
        place[side // 2 : side // 2 + side, side // 2 : side // 2 + side] = True
        rows = slice(top + side // 2, bottom + 1 + side // 2)
        window = place[rows, left + side // 2 : right + 1 + side // 2]
        share = 100 * window.float().mean().item()
        assert fact(page, "inside") == f"{share:.1f} %".replace("100.0", "100")


def test_vit_is_global_from_its_first_attention(page: Page) -> None:
    names = choose(page, "vit_b_16")
    assert len(names) == 13  # the patches, and twelve layers
    page.locator("[name=layer]").select_option(index=1)
    assert fact(page, "size") == "the whole picture"


def test_efficientnet_says_that_its_gates_see_everything(page: Page) -> None:
    names = choose(page, "efficientnet_b0")
    page.locator("[name=layer]").select_option(index=len(names) - 1)
    assert "Through its gates it depends on the whole picture too." in said(page)
    page.locator("[name=layer]").select_option(index=0)
    assert "gates" not in said(page)


def test_a_field_larger_than_the_picture_is_shown_as_such(page: Page) -> None:
    names = choose(page, "convnext_tiny")
    page.locator("[name=layer]").select_option(index=len(names) - 1)
    assert "That is more than the picture, which is 224 px wide" in said(page)
    assert drawn(page)[2] > 224
    box = page.locator("#ll-stage").get_attribute("viewBox") or ""
    assert float(box.split()[2]) > drawn(page)[2]  # all of it is on the stage


def test_keys_move_the_unit_by_one_and_stop_at_the_edge(page: Page) -> None:
    choose(page, "vgg16")
    field = layers_of("vgg16")["stages.3.6"].field
    assert field
    page.locator("[name=layer]").select_option(label="stages.3.6: 2×2 max pooling, stride 2")
    page.locator("#ll-stage").focus()
    page.keyboard.press("Home")
    corner = seen(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert seen(page) == corner
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    moved = [b - a for a, b in zip(corner, seen(page), strict=True)]
    assert moved == [field.stride, field.stride, 2 * field.stride, 2 * field.stride]


def test_layers_are_gone_through_by_keys_buttons_slider_and_bars(page: Page) -> None:
    names = choose(page, "alexnet")
    page.locator("[name=layer]").select_option(index=0)
    assert page.locator("[name=earlier]").is_disabled()
    page.locator("[name=later]").click()
    assert said(page).startswith(names[1] + ",")
    page.locator("#ll-stage").focus()
    page.keyboard.press("PageDown")
    assert said(page).startswith(names[2] + ",")
    page.locator("[name=depth]").focus()
    page.keyboard.press("End")
    assert said(page).startswith(names[-1] + ",")
    assert page.locator("[name=later]").is_disabled()
    page.locator("#ll-growth").click(position={"x": 3, "y": 20})
    assert said(page).startswith(names[0] + ",")
    heights = [float(bar.get_attribute("height") or "")
               for bar in page.locator("#ll-growth rect").all()]  # fmt: skip
    assert all(a <= b for a, b in pairwise(heights))


def middle(stage: Locator) -> tuple[float, float, float]:
    box = stage.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"]


def test_a_mouse_drags_the_unit(page: Page) -> None:
    stage = page.locator("#ll-stage")
    stage.scroll_into_view_if_needed()
    x, y, width = middle(stage)
    page.mouse.move(x, y)
    page.mouse.down()
    before = seen(page)
    page.mouse.move(x + width / 4, y, steps=4)
    after = seen(page)
    page.mouse.up()
    page.mouse.move(x, y)
    assert after[0] > before[0]
    assert after[2:] == before[2:]
    assert seen(page) == after  # let go, it stays


@pytest.mark.parametrize(("scheme", "width"), USES)
def test_a_finger_moves_it_in_every_scheme_and_width(
    browser: Browser, home: str, scheme: str, width: int
) -> None:
    with touched(browser, home + PAGE, scheme, width) as (page, noted):
        stage = page.locator("#ll-stage")
        stage.scroll_into_view_if_needed()
        x, y, size = middle(stage)
        before = seen(page)
        page.touchscreen.tap(x - size / 4, y + size / 4)
        after = seen(page)
        assert after[0] < before[0]
        assert after[2] > before[2]
        assert stage.evaluate("s => getComputedStyle(s).touchAction") == "none"
        assert [note for note in noted if not note.startswith(home)] == []


def test_a_button_of_the_prose_shows_its_layer(page: Page) -> None:
    for button in page.locator(".ll-show").all():
        button.click()
        assert said(page).startswith(f"{button.get_attribute('data-layer')}, ")
        name = str(button.get_attribute("data-network"))
        chosen = page.locator("[name=network] option:checked").inner_text()
        assert chosen == NETWORKS[name]


def test_without_scripts_a_picture_and_all_numbers_stay(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PAGE)
    assert page.locator("#ll-fields-still svg").is_visible()
    assert not page.locator("#ll-fields").is_visible()
    assert page.locator(".ll-show:visible").count() == 0
    for name in NETWORKS:
        left = iter(described(name))  # in order: LeNet-5's pooling runs twice under one name
        folded = page.locator(f"details[data-network={name}]")
        folded.locator("summary").click()
        for row in folded.locator("tbody tr").all():
            assert row.is_visible()
            cells = [text.replace("−", "-") for text in row.locator("th, td").all_inner_texts()]
            layer = next(each for each in left if each.name == cells[0])
            if layer.kind == "Attention":
                assert cells[3] == "the whole picture"
                continue
            assert layer.field
            assert cells[3].split(";")[0] == str(layer.field.size)
            assert cells[4:] == [str(layer.field.stride), str(layer.field.left)]
    context.close()
