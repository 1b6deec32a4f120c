"""The report and its pictures: they say what was found, to everybody, and ask nobody for more."""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup

from lineage_lab.comparing.charts import curves, scatter
from lineage_lab.comparing.report import report
from lineage_lab.comparing.results import Comparison
from tests.comparing.test_results import ANSWERS, TRUTHS, row, run, unrecorded
from tests.site.browser import CHROMIUM, chromium

SVG = "{http://www.w3.org/2000/svg}"
TIMES = {"a": 10.0, "b": 100.0, "timm/c": 101.0, "d": 900.0}


@pytest.fixture(scope="module")
def result() -> Comparison:
    rows = []
    for name, seconds in TIMES.items():
        answers = TRUTHS if name == "d" else ANSWERS
        runs = (run(i, answers[i], train_seconds=seconds * (1 + i / 10)) for i in range(2))
        rows.append(row(name, *runs))
    return Comparison(
        rows=tuple(rows),
        data={
            "name": "shapes & <b>signs</b>",
            "licence": "CC0",
            "classes": ["disc", "<i>square</i>", "star"],
            "train": 24,
            "val": 8,
            "drawn_by_seed": True,
        },
        limit=None,
    )


@pytest.fixture(scope="module")
def page(result: Comparison) -> BeautifulSoup:
    return BeautifulSoup(report(result), "html.parser")


def picture(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def points(svg: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in svg.iter(f"{SVG}circle")]


def labels(svg: ElementTree.Element) -> dict[str, tuple[float, float]]:
    found = [t for t in svg.iter(f"{SVG}text") if t.get("font-weight") == "600"]
    return {str(t.text): (float(t.get("x", 0)), float(t.get("y", 0))) for t in found}


def test_the_scatter_has_a_point_for_each_network_in_its_place(result: Comparison) -> None:
    (a, b, c, d) = points(picture(scatter(result)))
    assert a[0] < b[0] < c[0] < d[0]  # slower is further right
    assert d[0] - b[0] == pytest.approx(b[0] - a[0], rel=0.06)  # nine times, and ten times
    assert a[1] == b[1] == c[1] > d[1]  # better is higher
    lines = list(picture(scatter(result)).iter(f"{SVG}line"))
    one = replace(result, rows=tuple(replace(r, runs=r.runs[:1]) for r in result.rows))
    assert len(lines) - len(list(picture(scatter(one)).iter(f"{SVG}line"))) >= 2 * 4


def test_no_name_lies_on_another_name_or_on_a_point(result: Comparison) -> None:
    svg = picture(scatter(result))
    found = labels(svg)
    assert set(found) == set(TIMES)
    boxes = {n: (x, y - 11, x + 6.6 * len(n), y + 3) for n, (x, y) in found.items()}
    for x, y in points(svg):
        boxes[f"point {x}"] = (x - 6, y - 6, x + 6, y + 6)
    for (one, p), (other, q) in combinations(boxes.items(), 2):
        if one.startswith("point") and other.startswith("point"):
            continue  # two networks may be as good as each other
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        assert apart, (one, other)


def test_equal_times_and_equal_accuracies_are_drawn_too(result: Comparison) -> None:
    runs = result.rows[0].runs
    same = tuple(replace(r, train_seconds=60.0, val_accuracy=1.0, answers=r.truth) for r in runs)
    rows = tuple(replace(r, runs=same) for r in result.rows)
    svg = picture(scatter(replace(result, rows=rows)))
    assert len(set(points(svg))) == 1
    assert all(0 <= x <= 720 and 0 <= y <= 420 for x, y in labels(svg).values())
    assert curves(replace(result, rows=rows))


def test_the_curves_have_a_dot_for_each_epoch_of_each_seed(result: Comparison) -> None:
    assert len(points(picture(curves(result)))) == 4 * 2 * 1


def test_curves_that_were_not_recorded_are_not_drawn(result: Comparison) -> None:
    assert curves(unrecorded(result)) == ""


@pytest.mark.parametrize("draw", [scatter, curves])
def test_a_picture_has_words_and_follows_the_scheme(draw, result: Comparison) -> None:  # type: ignore[no-untyped-def]
    text = draw(result)
    svg = picture(text)
    assert "shapes & <b>signs</b>" in str(svg.findtext(f"{SVG}title"))
    for name in TIMES:
        assert f"{name}, " in str(svg.findtext(f"{SVG}desc"))
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', text))
    assert all(c == "none" or c.startswith("var(--ll-") for c in colours)


def test_lines_differ_by_more_than_their_colour(result: Comparison) -> None:
    lines = picture(curves(result)).iter(f"{SVG}line")
    thick = [e for e in lines if e.get("stroke-width") == "2.5"]
    assert len({e.get("stroke-dasharray") for e in thick}) == len(thick) == 4


def test_the_page_asks_nobody_for_anything(page: BeautifulSoup, result: Comparison) -> None:
    assert not page.find_all(["script", "link", "img", "iframe", "object", "embed", "form", "base"])
    assert not [tag for tag in page.find_all(True) for key in tag.attrs if key.startswith("on")]
    assert not page.find_all(href=True)
    text = report(result).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"https?:|//[a-z]|url\(|@import", text)
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})
    assert policy is not None
    assert "default-src 'none'" in str(policy["content"])


def test_the_page_can_be_read_by_a_screen_reader(page: BeautifulSoup) -> None:
    assert page.html is not None
    assert page.html["lang"] == "en"
    assert len(page.find_all("h1")) == len(page.find_all("main")) == 1
    assert {h.name for h in page.find_all(re.compile("h[1-6]"))} == {"h1", "h2"}
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for table in page.find_all("table"):
        assert table.caption is not None
        assert len(table.caption.get_text()) > 20
        assert all(th["scope"] == "col" for th in table.thead.find_all("th"))
        for line in table.tbody.find_all("tr"):
            assert line.find("th")["scope"] == "row"
            assert len(line.find_all(["th", "td"])) == len(table.thead.find_all("th"))
    for region in page.find_all(role="region"):
        assert region["tabindex"] == "0"
        assert region["aria-labelledby"] in ids
    for svg in page.find_all("svg"):
        assert svg.find("title").get_text()
        assert svg.find("desc").get_text()


def test_the_page_says_all_that_was_found(page: BeautifulSoup, result: Comparison) -> None:
    text = page.get_text()
    for line in result.cells():
        assert all(cell in text for cell in line)
    assert result.caption in text
    assert result.footnote in text
    assert all(words in text for words in result.words)
    assert "ab" * 32 in text  # the weights' hash
    captions = [c.get_text() for c in page.find_all("caption")]
    for name in TIMES:
        assert any(c.startswith(f"{name}: each class") for c in captions)
        assert any(c.startswith(f"{name}: confusion matrix") for c in captions)


def test_the_confusion_matrix_has_a_line_for_each_true_class(page: BeautifulSoup) -> None:
    (table,) = (t for t in page.find_all("table") if "d: confusion" in t.caption.get_text())
    lines = [[td.get_text() for td in tr.find_all("td")] for tr in table.tbody.find_all("tr")]
    assert lines == [["5", "0", "0"], ["0", "6", "0"], ["0", "0", "5"]]


def test_names_are_text_and_not_markup(page: BeautifulSoup) -> None:
    assert page.find_all(["b", "i"]) == []
    assert "<i>square</i>" in page.get_text()


def test_many_classes_are_told_by_what_is_confused_most(result: Comparison) -> None:
    many = replace(result, data=result.data | {"classes": [f"class {i}" for i in range(20)]})
    page = BeautifulSoup(report(many), "html.parser")
    (table,) = (t for t in page.find_all("table") if t.caption.get_text().startswith("a: what is"))
    lines = [tr.get_text(" ") for tr in table.tbody.find_all("tr")]
    assert lines[0] == "class 0 class 1 2"
    assert len(lines) == 4


def test_runs_without_answers_have_a_report_too(result: Comparison) -> None:
    text = report(unrecorded(result))
    assert "68.8 ± 8.8 %" in text
    assert "Class by class" not in text
    assert "Learning curves" not in text
    assert "Do they differ?" not in text


def test_one_network_alone_is_reported(result: Comparison, tmp_path: Path) -> None:
    page = BeautifulSoup(report(replace(result, rows=result.rows[:1])), "html.parser")
    assert page.h1 is not None
    assert page.h1.get_text() == "a on shapes & <b>signs</b>"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_in_a_browser_it_follows_the_scheme_fits_a_phone_and_stays_readable(
    result: Comparison, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(report(result), encoding="utf-8")
    papers = []
    with chromium() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport={"width": 360, "height": 800})
            asked: list[str] = []
            said: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto(file.as_uri())
            assert asked == [file.as_uri()]
            assert said == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            colours = page.evaluate(COLOURS)
            papers.append(colours[0])
            ink = luminance(colours[1])
            for ground in colours[0], *colours[2:]:
                assert contrast(ink, luminance(ground)) > 4.5
    assert papers[0] != papers[1]


# The page's ground and ink, and the ground of each cell of a confusion matrix: red, green, blue.
COLOURS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const of = (element, name) => rgb(getComputedStyle(element)[name]);
  const cells = [...document.querySelectorAll("td[style]")];
  return [of(document.body, "backgroundColor"), of(document.body, "color"),
          ...cells.map((cell) => of(cell, "backgroundColor"))];
}"""


def luminance(rgb: list[int]) -> float:
    """As the Web Content Accessibility Guidelines 2.2 define it."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
               for c in (v / 255 for v in rgb))  # fmt: skip
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
