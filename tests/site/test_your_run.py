"""The page "Your run" in a real Chromium: what it draws is what the package draws."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page

from lineage_lab.comparing.charts import scatter
from lineage_lab.comparing.comparable import comparability
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import RANDOM
from lineage_lab.exercises import check
from tests.site.comparisons import (
    MACHINE,
    RECIPE,
    THREE,
    bring,
    comparison,
    drawn,
    one_seed,
    row,
    run,
    saved,
)

PAGE = "try/your-run/"
REFERENCE = Path(__file__).parents[2] / "docs" / "results" / "elpv-lite.json"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"


def seeds(*accuracies: float, seconds: float = 60.0, **changes: Any) -> list[Any]:
    return [run(i, a, seconds * (1 + i), **changes) for i, a in enumerate(accuracies)]


FOUND = {
    "one row": comparison(row("resnet50", run(0, 0.5, 60.0))),
    "three rows": THREE,
    "one seed": one_seed(THREE),
    "limited": replace(THREE, limit=100),
    "random": replace(THREE, rows=tuple(replace(r, weights=RANDOM, weights_file="", sha256="")
                                        for r in THREE.rows)),
    "wide spread": comparison(row("a", *seeds(0, 1, 0.5, seconds=0.001)),
                              row("b", *seeds(0.99, 1, 1, seconds=3e8)), row("c", *seeds(1, 1, 1))),
    "extreme": comparison(
        row("smallest", run(0, 0.0, 1e-6, images_trained=0, peak_memory=0), parameters=0, macs=0),
        row("largest", run(0, 1.0, 1e9, images_trained=2**53 - 1, peak_memory=2**53 - 1),
            parameters=2**53 - 1, macs=2**53 - 1)),
    "ties": comparison(row("a", *seeds(0.1225, 0.1225)), row("b", *seeds(0.0025, 0.0025)),
                       row("c", run(0, 0.00125, 0.25), run(1, 0.00125, 0.25))),
    "energy": comparison(row("a", *seeds(0.5, 0.75, energy_joules=1250.0)),
                         row("b", *seeds(0.5, 0.25)), row("c", *seeds(0.5, 0.5))),
    "several machines": comparison(
        row("a", run(0, 0.5, 6.0), run(1, 0.5, 6.5, provenance=MACHINE | {"processor": "Q"})),
        row("b", *seeds(0.5, 0.25)), row("c", *seeds(0.5, 0.5))),
    "own recipes": comparison(*(
        row(name, *seeds(0.5, 0.25), recipe=RECIPE | {"lr": lr, "minutes": minutes})
        for name, lr, minutes in (("a", 0.1, 1.5), ("b", 1e-5, 30), ("c", 1, None)))),
    "hostile names": comparison(
        row(HOSTILE, *seeds(0.5, 0.25)),
        row("very_long_" * 90, *seeds(0.75, 0.25), weights="w" * 900),
        row("a\u202e|b&amp;", *seeds(0.5, 0.3), weights=HOSTILE), name=HOSTILE),
    "own folder": comparison(*THREE.rows, name="photos of birds", classes=["a", "b", "c"], train=9),
    "its own split": drawn(5),
}  # fmt: skip


def verdict(found: Comparison) -> str:
    return check("finetune-1", found).words


def parts(svg: str) -> list[tuple[str, dict[str, str], str]]:
    """What is drawn, in its order: kind, attributes, text."""
    root = ElementTree.fromstring(svg)
    return [(e.tag.removeprefix(SVG), dict(e.attrib), e.text or "") for e in root
            if e.tag not in (f"{SVG}title", f"{SVG}desc")]  # fmt: skip


def same_picture(theirs: str, ours: str) -> None:
    """The same lines, points and names at the same places, to a hundredth of a unit."""
    drawn_here, expected = parts(theirs), parts(ours)
    assert [(tag, text) for tag, _, text in drawn_here] == [
        (tag, text) for tag, _, text in expected
    ]
    for (_, mine, _), (_, wanted, _) in zip(drawn_here, expected, strict=True):
        assert set(mine) == set(wanted)
        for key, value in wanted.items():
            if value.startswith("var("):
                assert mine[key] == value.partition(",")[0] + ")"
            elif value.replace(".", "").replace("-", "").replace("e", "").isdigit():
                assert float(mine[key]) == pytest.approx(float(value), abs=0.011)
            else:
                assert mine[key] == value
    words = [[root.findtext(f"{SVG}{tag}") for tag in ("title", "desc")]
             for root in map(ElementTree.fromstring, (theirs, ours))]  # fmt: skip
    assert words[0] == words[1]


CELLS = """root => [...root.querySelectorAll('tr')].map(
  row => [...row.cells].map(cell => cell.textContent))"""
BESIDE = """text => { const { file, words } = window.lineageLab;
  const data = JSON.parse(document.querySelector('#ll-data').textContent);
  return words.beside(file.read(text), file.read(JSON.stringify(data.reference)),
    new Map(Object.entries(data.defaults))); }"""
SAID = """text => { const { file, words, chart } = window.lineageLab; const r = file.read(text);
  const w = words.words(r);
  return [words.cells(r), words.caption(r), words.footnote(r), w, words.verdict(r, w),
    new XMLSerializer().serializeToString(chart.scatter(r, 'x'))]; }"""


@pytest.mark.parametrize("name", FOUND)
def test_a_file_is_drawn_as_the_package_draws_it(name: str, page: Page, tmp_path: Path) -> None:
    file = saved(tmp_path, FOUND[name])
    found = Comparison.load(file)
    assert bring(page, file) == "Shown below: comparison.json."
    own = page.locator("#ll-runs .ll-run")
    assert own.locator("h3").text_content() == "comparison.json"
    assert own.locator("table").evaluate(CELLS) == list(map(list, found.cells()))
    texts = own.locator("p").all_text_contents()
    assert texts == [found.caption, verdict(found), found.footnote]
    lists = [u.locator("li").all_text_contents() for u in own.locator("ul").all()]
    shown = [list(found.words)] if found.words and not texts[1].startswith("A fair") else []
    assert lists == [*shown, list(comparability(found, Comparison.load(REFERENCE)))]
    svg = own.locator("svg").evaluate("svg => new XMLSerializer().serializeToString(svg)")
    same_picture(svg, scatter(found))
    assert page.evaluate("window.hurt") is None
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate(wide) <= 0


def test_random_comparisons_are_said_and_drawn_alike(page: Page) -> None:
    kinds = set()
    for number in range(150):
        found = drawn(number)
        cells, caption, footnote, words, said, svg = page.evaluate(SAID, found.to_json())
        assert cells == list(map(list, found.cells())), number
        assert (caption, footnote) == (found.caption, found.footnote), number
        assert words == list(found.words), number
        assert said == verdict(found), number
        same_picture(svg, scatter(found))
        kinds |= {said.split()[0], *(w.split()[0] for w in words), len(found.seeds)}
    assert {"A", "It", "No", "For", 1, 2, 5} <= kinds


def test_each_reason_beside_the_reference_is_the_packages(page: Page) -> None:
    reference = Comparison.load(REFERENCE)
    first = reference.rows[0]
    one = first.runs[0]
    own = [reference, one_seed(reference), *map(drawn, range(10))]
    for change in (
        {"fingerprint": "x"},
        {"sha256": "x"},
        {"weights": RANDOM},
        {"recipe": first.recipe | {"lr": 1e-5, "epochs": 3}},
        {"recipe": first.recipe | {"sync_norms": True}},
    ):
        own.append(replace(reference, rows=(replace(first, **change), *reference.rows[1:])))
    for run_change in (
        {"device": "cuda"},
        {"precision": "bf16"},
        {"provenance": one.provenance | {"torch": "9"}},
    ):
        runs = tuple(replace(r, **run_change) for r in first.runs)
        own.append(replace(reference, rows=(replace(first, runs=runs), *reference.rows[1:])))
    for data in ({"train": 1}, {"name": "x"}, {"drawn_by_seed": False}, {"classes": ["a", "b"]}):
        own.append(replace(reference, data=reference.data | data))
    found = [page.evaluate(BESIDE, each.to_json()) for each in own]
    assert found == [list(comparability(each, reference)) for each in own]
    assert len({sentence for each in found for sentence in each}) > 15


def test_the_reference_is_drawn_at_build_and_without_scripts(browser: Browser, home: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(home + PAGE)
    found = Comparison.load(REFERENCE)
    shown = page.locator("#ll-reference")
    lines = [line.locator("th, td").all_text_contents() for line in shown.locator("tr").all()]
    assert lines == list(map(list, found.cells()))
    assert shown.locator("p").all_text_contents() == [found.caption, found.footnote]
    assert shown.locator("svg circle").count() == len(found.rows)
    assert shown.locator("svg").is_visible()
    assert not page.locator("#ll-drop").is_visible()
    assert page.locator("noscript").is_visible()
    context.close()


def test_the_reference_s_own_file_can_be_taken_and_brought(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="the file of the reference").click()
    file = tmp_path / "elpv-lite.json"
    download.value.save_as(file)
    assert file.read_bytes() == REFERENCE.read_bytes()
    assert bring(page, file) == "Shown below: elpv-lite.json."
    assert page.locator("#ll-runs tbody").evaluate(CELLS) == page.locator(
        "#ll-reference tbody"
    ).evaluate(CELLS)
    beside_it = page.locator("#ll-runs .ll-beside").text_content() or ""
    assert "Accuracies may be compared" in beside_it
    assert "Times may be compared" in beside_it
