"""The page "Your run" in a real Chromium: what is broken or hostile is refused, with a reason."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import to_text
from tests.site.browser import arrive
from tests.site.comparisons import THREE, bring, drawn, saved

PAGE = "try/your-run/"
SPLIT = drawn(5)


@pytest.fixture(scope="module")
def page(browser: Browser, home: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One for all of them: none may leave a trace. A good file is shown."""
    opened = browser.new_page()
    arrive(opened, home + PAGE)
    bring(opened, saved(tmp_path_factory.mktemp("good"), THREE, "good.json"))
    yield opened
    opened.close()


def changed(change: Callable[[Any], object]) -> str:
    found = json.loads(SPLIT.to_json())
    change(found)
    return json.dumps(found)


def in_run(**changes: Any) -> str:
    return changed(lambda f: f["rows"][0]["runs"][0].update(changes))


def in_row(**changes: Any) -> str:
    return changed(lambda f: f["rows"][0].update(changes))


BROKEN = {
    "empty": ("", "it is not JSON"),
    "no JSON": ("<html>", "it is not JSON"),
    "cut": (THREE.to_json()[:-400], "it is not JSON"),
    "a list": ("[]", "the file must be an object"),
    "a number": ("7", "the file must be an object"),
    "null": ("null", "the file must be an object"),
    "other JSON": ('{"type": "FeatureCollection"}', "its schema is nothing"),
    "an older schema": ('{"schema": 1}', "its schema is 1"),
    "another schema": ('{"schema": 3}', "its schema is 3"),
    "schema as text": ('{"schema": "2"}', 'its schema is "2"'),
    "nothing in it": ('{"schema": 2}', "the file has no rows"),
    "no rows": (changed(lambda f: f["rows"].clear()), "it has no finished run"),
    "no runs": (
        changed(lambda f: [r["runs"].clear() for r in f["rows"]]),
        "it has no finished run",
    ),
    "a finished run": (to_text({"schema": 2, "key": {}, "run": {}}), "Finish that with --resume"),
    "unfinished": (changed(lambda f: f["rows"][0]["runs"].pop()), "have not the same seeds"),
    "NaN": (in_run(seconds=float("nan")), "it holds NaN"),
    "Infinity": (in_run(seconds=float("inf")), "it holds Infinity"),
    "beyond a double": (
        in_run(seconds=1).replace('"seconds": 1,', '"seconds": 1e999,', 1),
        "a number of seconds",
    ),
    "negative": (
        in_run(seconds=-5.0),
        "rows[0].runs[0].seconds must be a number of seconds above 0, not -5",
    ),
    "zero": (in_run(seconds=0), "must be a number of seconds above 0, not 0"),
    "text for number": (in_run(seconds="60"), 'seconds above 0, not "60"'),
    "list for number": (in_run(accuracy=[0.5]), "accuracy must be a number from 0 to 1"),
    "true for number": (in_run(accuracy=True), "not true"),
    "above 1": (in_run(accuracy=1.5), "from 0 to 1, not 1.5"),
    "false accuracy": (in_run(accuracy=0.123), "accuracy is not that of its answers"),
    "answer of no class": (
        in_run(answers=[9], truth=[0]),
        "answers[0] must be the number of one of",
    ),
    "fewer answers": (in_run(answers=[]), "and 0 answers"),
    "other images": (
        in_run(answers=[0], truth=[0], accuracy=1),
        "have not the same validation images",
    ),
    "half a count": (in_row(parameters=1.5), "rows[0].parameters must be a whole number"),
    "negative count": (in_row(macs=-1), "rows[0].macs must be a whole number"),
    "number for name": (in_row(name=5), "rows[0].name must be a text, not 5"),
    "endless name": (in_row(name="x" * 1001), "rows[0].name has more than 1000 letters"),
    "a field more": (in_row(evil=1), 'a field "evil"'),
    "a row twice": (changed(lambda f: f["rows"].append(f["rows"][0])), "twice"),
    "too many rows": (
        changed(lambda f: f["rows"].extend([f["rows"][0]] * 50)),
        "more than 50 entries",
    ),
    "no epochs": (in_row(recipe={}), "rows[0].recipe.epochs"),
    "deep recipe": (in_row(recipe={"epochs": 1, "x": {"y": 1}}), "must be a number, a text"),
    "deep provenance": (in_run(provenance={"processor": {}}), "must be a text"),
    "prototype": (
        '{"__proto__": {"schema": 2, "rows": [], "data": {}, "limit": null}}',
        "its schema is nothing",
    ),
    "prototype in a file": (
        THREE.to_json().rstrip()[:-1] + ', "__proto__": {"x": 1}}',
        'a field "__proto__"',
    ),
    "prototype in a row": (
        THREE.to_json().replace('"name": "resnet50"', '"__proto__": {"x": 1}, "name": "a"', 1),
        'rows[0] has a field "__proto__"',
    ),
    "constructor": (
        '{"schema": 2, "constructor": 1, "rows": [], "data": {}}',
        "the file has no limit",
    ),
    "deep": ("[" * 200_000 + "]" * 200_000, "the file must be an object"),
    "deep inside": (
        in_row(name=0).replace('"name": 0', '"name": ' + "[" * 99_999 + "]" * 99_999),
        "must be a text",
    ),
    "a limit as text": (changed(lambda f: f.update(limit="64")), "limit must be a whole number"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_a_reason_and_changes_nothing(
    name: str, page: Page, tmp_path: Path
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    before = page.locator("#ll-runs").inner_html()
    text, words = BROKEN[name]
    said = bring(page, saved(tmp_path, text, "bad.json"))
    assert said.startswith("Refused: bad.json is no comparison that lineage-lab compare wrote")
    assert words in said
    assert said.endswith(". Nothing was changed.")
    assert len(said) < 400
    assert page.locator("#ll-runs").inner_html() == before
    assert page.evaluate("[Object.keys(Object.prototype).length, ({}).x ?? null]") == [0, None]
    assert errors == []


def test_the_package_refuses_all_but_what_it_can_print(tmp_path: Path) -> None:
    """The page is the stricter of the two: it is given files by anybody."""
    taken = set()
    for name, (text, _) in BROKEN.items():
        try:
            Comparison.load(saved(tmp_path, text))
        except ValueError:
            continue
        taken.add(name)
    assert taken == {
        "half a count",
        "negative count",
        "endless name",
        "deep recipe",
    }
