"""The timeline in a real Chromium: by mouse, by keyboard, and with scripts off."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from lineage_lab.chapters.lineage import NETWORKS, PASSED_ON
from lineage_lab.comparing.choosing import candidates
from tests.site.browser import USES, arrive, touched

PAGE = "timeline/"
ROWS = [c for c in candidates() if not c.published.startswith("efficientnet-lite")]
POINTS = "#ll-points tbody tr"


def column(page: Page, table: str, index: int) -> list[str]:
    cells = page.locator(f"{table} tbody tr:visible td:nth-child({index})")
    return [c.get_attribute("data-value") or "" for c in cells.all()]


def lit(page: Page, selector: str) -> list[str]:
    found = page.locator(f"{selector}.ll-on").all()
    return [e.get_attribute("data-row") or e.get_attribute("data-key") or "" for e in found]


def control(page: Page, name: str) -> Locator:
    return page.locator(f"#ll-chart-controls [name={name}]")


def test_the_tree_leads_to_each_chapter_that_is_written(page: Page, built_site: Path) -> None:
    links = page.locator("#ll-tree a.ll-node")
    assert links.count() == len(NETWORKS)
    for link in links.all():
        label, href = link.get_attribute("aria-label"), link.get_attribute("href")
        assert label
        assert label.endswith("Its chapter")
        assert (built_site / "timeline" / str(href) / "index.html").resolve().is_file()
    # A picture with links in it must not be an image: a screen reader would not find them.
    assert page.locator("#ll-tree svg").get_attribute("role") == "group"
    assert page.locator("#ll-tree .ll-edge").count() == len(PASSED_ON)


def test_a_link_of_the_tree_is_reached_and_followed_by_keyboard(page: Page) -> None:
    page.locator("#ll-tree a.ll-node").first.focus()
    assert lit(page, "#ll-tree .ll-node") == ["lenet5"]
    page.keyboard.press("Enter")
    page.wait_for_url("**/chapters/lenet5/")


def test_pointing_at_a_row_lights_its_node_and_what_it_gave_and_took(page: Page) -> None:
    page.locator("#ll-lineage tr[data-key=resnet]").hover()
    assert lit(page, "#ll-tree .ll-node") == ["resnet"]
    edges = page.locator("#ll-tree .ll-edge.ll-on")
    assert edges.count() == sum("resnet" in (g.giver, g.receiver) for g in PASSED_ON)
    page.locator("h1").hover()
    assert lit(page, "#ll-tree .ll-node") == []


def test_pointing_at_a_row_or_a_disc_lights_the_other(page: Page) -> None:
    page.locator("#ll-points tr[data-row='convnext_tiny/imagenet']").hover()
    assert lit(page, "figure[data-axis=macs] .ll-disc") == ["convnext_tiny/imagenet"]
    page.locator("figure[data-axis=macs] .ll-disc[data-row='alexnet/imagenet'] circle").hover()
    assert lit(page, POINTS) == ["alexnet/imagenet"]


def test_a_finger_on_a_row_or_a_disc_lights_the_other(browser: Browser, home: str) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    arrive(page, home + "timeline/")
    page.locator("#ll-points tr[data-row='resnet18/imagenet'] td").first.tap()
    assert lit(page, "figure[data-axis=macs] .ll-disc") == ["resnet18/imagenet"]
    page.locator("figure[data-axis=macs] .ll-disc[data-row='alexnet/imagenet'] circle").tap()
    assert lit(page, POINTS) == ["alexnet/imagenet"]
    context.close()


def test_rows_are_gone_through_by_keyboard_and_light_their_discs(page: Page) -> None:
    first = page.locator(POINTS).first
    first.focus()
    assert lit(page, "figure[data-axis=macs] .ll-disc") == [f"{ROWS[0].name}/imagenet"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert lit(page, "figure[data-axis=macs] .ll-disc") == [f"{ROWS[2].name}/imagenet"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")  # there is none below: it stays
    last = f"{ROWS[-1].name}/{ROWS[-1].weights}"
    assert lit(page, "figure[data-axis=macs] .ll-disc") == [last]
    assert page.locator(f"{POINTS}[tabindex='0']").count() == 1


def test_the_table_is_sorted_by_a_click_and_by_a_key(page: Page) -> None:
    macs = [f"{c.gmacs}" for c in ROWS]
    assert column(page, "#ll-points", 6) == macs
    head = page.locator("#ll-points th").nth(5)
    head.locator("button").click()
    assert column(page, "#ll-points", 6) == sorted(macs, key=float)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert column(page, "#ll-points", 6) == sorted(macs, key=float, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.locator("#ll-points th").nth(0).locator("button").click()
    assert head.get_attribute("aria-sort") is None
    names = column(page, "#ll-points", 1)
    assert names[0] == "AlexNet"
    assert names.index("EfficientNet-B0") < names.index("EfficientNet-B7")
    assert names.index("VGG-11") < names.index("VGG-19")


def test_what_is_not_known_stays_last_whichever_way(page: Page) -> None:
    button = page.locator("#ll-lineage th").nth(6).locator("button")
    for _ in range(2):
        button.click()
        assert column(page, "#ll-lineage", 7)[-1] == ""


def test_the_axis_changes_the_chart(page: Page) -> None:
    shown = page.locator("#ll-charts figure:visible")
    assert [f.get_attribute("data-axis") for f in shown.all()] == ["macs"]
    control(page, "axis").nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert [f.get_attribute("data-axis") for f in shown.all()] == ["parameters"]
    page.locator("#ll-chart-controls label", has_text="year").last.click()
    assert [f.get_attribute("data-axis") for f in shown.all()] == ["year"]


def test_the_chart_and_the_table_are_filtered_by_year_family_and_axis(page: Page) -> None:
    years = {network.key: network.year for network in NETWORKS}

    def left() -> set[str]:
        rows = {str(r.get_attribute("data-row")) for r in page.locator(f"{POINTS}:visible").all()}
        discs = page.locator("#ll-charts figure:visible .ll-disc:visible").all()
        assert {str(d.get_attribute("data-row")) for d in discs} == rows
        return rows

    def expected(**limits: object) -> set[str]:
        return {
            f"{c.name}/{c.weights}"
            for c in ROWS
            if years[c.family] >= int(str(limits.get("since", 0)))
            and years[c.family] <= int(str(limits.get("until", 9999)))
            and c.family == limits.get("family", c.family)
            and c.gmacs <= float(str(limits.get("most", 1e9)))
        }

    assert left() == expected()
    control(page, "since").select_option("2019")
    assert left() == expected(since=2019)
    control(page, "until").select_option("2020")
    assert left() == expected(since=2019, until=2020)
    control(page, "most").fill("2")
    assert left() == expected(since=2019, until=2020, most=2)
    control(page, "family").select_option("vit")
    assert left() == set()
    page.locator("#ll-chart-controls button[type=reset]").click()
    page.wait_for_timeout(50)
    assert left() == expected()
    control(page, "family").select_option("resnet")
    assert left() == expected(family="resnet")
    assert "8 of 34" in (page.locator("#ll-chart-controls output").text_content() or "")
    assert page.locator(f"{POINTS}:visible[tabindex='0']").count() == 1  # the keyboard gets in


def test_discs_stand_where_their_numbers_are(page: Page) -> None:
    """Higher is more accurate, further right costs more, larger has more parameters."""
    discs = {
        str(d.get_attribute("data-row")): d.locator("circle").evaluate(
            "c => [c.cx.baseVal.value, c.cy.baseVal.value, c.r.baseVal.value]"
        )
        for d in page.locator("figure[data-axis=macs] .ll-disc").all()
    }
    assert len(discs) == len(ROWS)
    for a in ROWS:
        for b in ROWS:
            one, two = discs[f"{a.name}/{a.weights}"], discs[f"{b.name}/{b.weights}"]
            assert not (a.gmacs < b.gmacs and one[0] > two[0])
            assert not (a.top1 < b.top1 and one[1] < two[1])
            assert not (a.parameters < b.parameters and one[2] > two[2])


def test_without_scripts_everything_is_there(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + "timeline/")
    assert page.locator(f"{POINTS}:visible").count() == len(ROWS)
    assert page.locator("#ll-lineage tbody tr:visible").count() == len(NETWORKS)
    assert page.locator("figure[data-axis=macs] svg").is_visible()
    page.locator("summary", has_text="by number of parameters").click()
    assert page.locator("figure[data-axis=parameters] svg").is_visible()
    assert not page.locator("#ll-chart-controls").is_visible()
    assert page.locator("th button").count() == 0
    context.close()


def test_a_filter_takes_away_the_lines_of_what_it_takes_away(page: Page) -> None:
    """A line joins two sizes of a family: without one of them it leads nowhere."""
    lines = page.locator("figure[data-axis=macs] .ll-line")
    assert lines.count() > 20

    def shown() -> list[tuple[str, str]]:
        return [
            (str(one.get_attribute("data-from-row")), str(one.get_attribute("data-to-row")))
            for one in lines.all()
            if one.is_visible()
        ]

    assert len(shown()) == lines.count()
    control(page, "family").select_option("vgg")
    assert shown()
    assert all(a.startswith("vgg") and b.startswith("vgg") for a, b in shown())
    control(page, "most").fill("12")
    left = {str(r.get_attribute("data-row")) for r in page.locator(f"{POINTS}:visible").all()}
    assert 0 < len(left) < 8
    assert all({a, b} <= left for a, b in shown())


def test_a_limit_belongs_to_its_axis(page: Page) -> None:
    """2 G MACs are not 2 M parameters: a limit that means something else is not kept."""
    control(page, "most").fill("2")
    control(page, "axis").nth(1).check()
    assert control(page, "most").input_value() == ""
    assert page.locator(f"{POINTS}:visible").count() == len(ROWS)
    control(page, "axis").nth(3).check()  # the years have fields of their own
    assert not control(page, "most").is_visible()
    control(page, "axis").nth(0).check()
    assert control(page, "most").is_visible()


def readout(page: Page) -> str:
    return page.locator("#ll-readout").inner_text()


def test_what_is_pointed_at_is_told_by_mouse_and_by_keyboard(page: Page) -> None:
    told = "ResNet-50, IMAGENET1K_V2: 80.86 % top-1, 4.09 G MACs, 25.6 M parameters, 97.8 MiB"
    page.locator("figure[data-axis=macs] .ll-disc[data-row='resnet50/imagenet'] circle").hover()
    assert readout(page) == told
    row = page.locator("#ll-points tr[data-row='resnet50/imagenet']")
    frame, place = page.locator("#ll-points").bounding_box(), row.bounding_box()
    assert frame is not None
    assert place is not None
    assert frame["y"] < place["y"] < frame["y"] + frame["height"] - 10  # and its row is in view
    page.locator("h1").hover()
    assert told not in readout(page)
    row.focus()
    assert readout(page) == told


@pytest.mark.parametrize(("scheme", "width"), USES)
def test_the_chart_is_used_by_touch_and_asks_nobody(
    scheme: str, width: int, browser: Browser, home: str
) -> None:
    with touched(browser, home + PAGE, scheme, width) as (page, asked):
        page.locator("#ll-chart-controls label", has_text="parameters").first.tap()
        shown = page.locator("#ll-charts figure:visible")
        assert [f.get_attribute("data-axis") for f in shown.all()] == ["parameters"]
        disc = shown.locator(".ll-disc[data-row='googlenet/imagenet'] circle")
        disc.tap()
        assert readout(page).startswith("GoogLeNet, IMAGENET1K_V1: ")
        page.locator("#ll-points th").nth(4).locator("button").tap()
        values = list(map(float, column(page, "#ll-points", 5)))
        assert values == sorted(values)
        control(page, "family").select_option("convnext")
        assert page.locator(f"{POINTS}:visible").count() == 4
        page.locator("#ll-chart-controls button[type=reset]").tap()
        page.wait_for_timeout(50)
        assert page.locator(f"{POINTS}:visible").count() == len(ROWS)
        assert asked == []
