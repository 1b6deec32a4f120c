"""What the tests of the reader's progress share: a second score, written apart from the page's."""

import json
import random
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.site.browser import arrive

KEY = "lineage-lab.progress.1"
CHAPTER, GUIDE = "chapters/resnet", "read-the-resnet-paper"
POINTS = {"read": 40, "copied": 2, "first": 10, "right": 5, "done": 25}
TODAY = "() => window.lineageProgress.today()"
ITEMS = {"copied": "snippets", "done": "exercises"}


def rules_of(site: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((site / "assets" / "progress.json").read_text())
    return found


def open_page(page: Page, address: str) -> None:
    arrive(page, address)
    page.wait_for_function("() => document.querySelector('.ll-badge').textContent !== 'Progress'")


def stored(page: Page) -> dict[str, str]:
    """The facts that the browser keeps."""
    text = page.evaluate(f"localStorage.getItem('{KEY}')")
    return json.loads(text)["facts"] if text else {}


def add(page: Page, facts: dict[str, str]) -> None:
    page.evaluate("facts => window.lineageProgress.add(Object.entries(facts))", facts)


def badge(page: Page) -> str:
    return page.locator(".ll-badge").text_content() or ""


def toast(page: Page) -> str:
    return page.locator(".ll-toast").text_content() or ""


def everything(rules: dict[str, Any]) -> list[str]:
    """Every fact that earns something."""
    facts = []
    for name, page in rules["pages"].items():
        facts.append(f"read:{name}")
        for kind, item in ITEMS.items():
            facts += [f"{kind}:{name}/{n + 1}" for n in range(page[item])]
        for n in range(page["questions"]):
            facts += [f"first:{name}/{n + 1}", f"right:{name}/{n + 1}"]
    return facts


def drawn(rules: dict[str, Any], draw: random.Random) -> dict[str, str]:
    """Some reader's facts, and some that are of no page here."""
    share = draw.choice((0.02, 0.2, 0.6, 0.95, 1))
    among = [*everything(rules), "copied:chapters/gone/1", "copied:chapters/vgg/9999", "tried:x/1"]
    return {fact: "2026-11-20" for fact in among if draw.random() < share}


def score(rules: dict[str, Any], facts: dict[str, str]) -> dict[str, Any]:
    """XP, level and achievements, worked out by sets."""
    real = set(everything(rules)) & set(facts)
    page_of = {f: f.partition(":")[2] if f.startswith("read:") else f[f.index(":") + 1 :].rpartition("/")[0]
               for f in everything(rules)}  # fmt: skip
    right = {
        f for f in real if f.startswith("right:") and f.replace("right:", "first:") not in real
    }
    counting = {f for f in real if not f.startswith("right:")} | right
    xp = sum(POINTS[f.partition(":")[0]] for f in counting)
    level = max(n for n, one in enumerate(rules["levels"]) if one["xp"] <= xp)
    chapters = [name for name, page in rules["pages"].items() if page["chapter"]]
    scopes = {"site": [[*rules["pages"]]], "chapters": [chapters], "one chapter": [[c] for c in chapters]}  # fmt: skip
    earned = []
    for one in rules["achievements"]:
        kinds = {"first" if kind == "answered" else kind for kind in one["kinds"]}

        def within(among: set[str], pages: list[str], kinds: set[str] = kinds) -> int:
            return sum(f.partition(":")[0] in kinds and page_of[f] in pages for f in among)

        had = {f.replace("right:", "first:") for f in counting} if "answered" in one["kinds"] else counting  # fmt: skip
        for pages in scopes.get(one["of"], [[one["of"]]]):
            need = within(set(everything(rules)), pages) if one["count"] == "all" else one["count"]
            if within(had, pages) >= need:
                earned.append(one["name"])
                break
    return {"xp": xp, "level": level, "earned": earned}
