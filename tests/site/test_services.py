"""What readers expect of a site beside its pages: files for programs, notebooks, cards, links."""

import ast
import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from html5lib import parse
from nbclient import NotebookClient
from PIL import Image

from tests.docs.harness.grammar import ROOT, read_page

BASE = "https://lineage-lab.github.io/lineage-lab/"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
ISSUES = "https://github.com/lineage-lab/lineage-lab/issues/new"


# What only the site can show, or its Markdown alone knows.
LEFT = re.compile(
    r"--8<--|^!!! |<(?:figure|form|button|canvas|select|input|svg)\b|\{ ?[#.]", re.MULTILINE
)


def tree(file: Path) -> Any:
    return parse(file.read_text(encoding="utf-8"), namespaceHTMLElements=False)


def sitemap(site: Path) -> dict[str, str]:
    """Each page's address below the base, with its day."""
    root = ElementTree.parse(site / "sitemap.xml").getroot()
    found = {}
    for entry in root:
        address, day = (entry.findtext(f"{SITEMAP}{name}") for name in ("loc", "lastmod"))
        assert address is not None
        assert address.startswith(BASE)
        assert day is not None
        found[address.removeprefix(BASE)] = day
    return found


@pytest.fixture(scope="module")
def pages(built_site: Path) -> dict[str, Any]:
    return {path: tree(built_site / path / "index.html") for path in sitemap(built_site)}


def test_the_sitemap_has_every_page_with_a_day(built_site: Path) -> None:
    built = {
        str(file.parent.relative_to(built_site)).replace(".", "", 1)
        for file in built_site.rglob("index.html")
    }
    days = sitemap(built_site)
    assert {path.rstrip("/") for path in days} == built
    assert all(re.fullmatch(r"2026-\d\d-\d\d|20[3-9]\d-\d\d-\d\d", day) for day in days.values())
    robots = (built_site / "robots.txt").read_text(encoding="utf-8")
    assert f"Sitemap: {BASE}sitemap.xml" in robots.splitlines()


def test_each_page_has_a_card_of_its_own(built_site: Path, pages: dict[str, Any]) -> None:
    seen = set()
    for path, page in pages.items():
        meta = {m.get("property") or m.get("name"): m.get("content") for m in page.iter("meta")}
        assert meta["og:url"] == BASE + path
        assert meta["og:title"]
        assert meta["og:description"] == meta["description"]
        assert meta["og:image"] == meta["twitter:image"]
        with Image.open(built_site / meta["og:image"].removeprefix(BASE)) as card:
            assert (card.format, card.size) == ("PNG", (1200, 630)), path
            assert len(card.convert("L").getcolors() or range(99)) > 20, f"{path}: an empty card"
            seen.add(card.tobytes())
    assert len(seen) == len(pages)


def test_the_report_is_a_filled_in_form(pages: dict[str, Any]) -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/mistake.yml").read_text())
    fields = {field["id"] for field in form["body"]}
    version = importlib.metadata.version("lineage-lab")
    for path, page in pages.items():
        (link,) = (a for a in page.iter("a") if "ll-report" in a.get("class", "").split())
        assert link.get("href").startswith(f"{ISSUES}?template=mistake.yml&")
        told = parse_qs(urlsplit(link.get("href")).query)
        assert told == {"template": ["mistake.yml"], "page": [BASE + path], "version": [version]}
        assert set(told) - {"template"} < fields
        assert "snippet" in fields  # joined by the script: test_services_used.py
        aside = "".join(page.find(".//aside[@class='ll-feedback']").itertext())
        assert "lead to github.com" in aside
        (shown,) = (a for a in page.iter("a") if a.get("class") == "ll-version")
        assert shown.text == version


def test_llms_txt_names_every_page_and_the_whole_text_follows(
    built_site: Path, pages: dict[str, Any]
) -> None:
    text = (built_site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# Lineage Lab\n\n> ")
    listed = dict(re.findall(r"^- \[[^\]]+\]\(([^)]+)\): (.+)$", text, re.MULTILINE))
    assert set(listed) == {BASE + path for path in pages} | {f"{BASE}llms-full.txt"}
    for path, page in pages.items():
        (said,) = (m.get("content") for m in page.iter("meta") if m.get("name") == "description")
        assert listed[BASE + path] == said
    whole = (built_site / "llms-full.txt").read_text(encoding="utf-8")
    named = re.findall(r"^<!-- (http\S+) -->$", whole, re.MULTILINE)
    assert sorted(named) == sorted(BASE + path for path in pages)
    for fence in read_page((ROOT / "docs/chapters/vgg.md").read_text(encoding="utf-8")).fences:
        if fence.language == "python" and fence.action == "run":
            assert fence.body.strip() in whole


def test_the_feed_has_the_changelogs_points(built_site: Path) -> None:
    channel = ElementTree.parse(built_site / "feed.xml").getroot().find("channel")
    assert channel is not None
    points = re.findall(r"^- ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    items = channel.findall("item")
    assert len(items) == len(points) > 5
    assert len({item.findtext("guid") for item in items}) == len(items)
    for item in items:
        assert item.findtext("link") == f"{BASE}changelog/"
        assert len(item.findtext("title") or "") < 110
        assert not re.search(r"[*`]|\]\(", item.findtext("description") or "")


def notebooks(site: Path) -> list[Path]:
    return sorted(f for f in site.rglob("*.ipynb") if "labs" not in f.parts)


def test_the_notebook_of_a_page_is_the_page(built_site: Path, pages: dict[str, Any]) -> None:
    found = notebooks(built_site)
    assert len(found) > 15
    for file in found:
        path = f"{file.parent.relative_to(built_site)}/"
        links = [a for a in pages[path].iter("a") if a.get("class") == "ll-notebook"]
        assert [a.get("href") for a in links] == [file.name]
        book = nbformat.read(file, as_version=4)
        nbformat.validate(book)
        first, *cells = (cell for cell in book.cells if cell.cell_type == "code")
        assert "%pip install" in first.source
        assert "find_spec" in first.source
        source = ROOT / "docs" / f"{path.rstrip('/')}.md"
        fences = [f for f in read_page(source.read_text(encoding="utf-8")).fences
                  if f.language == "python" and f.action == "run"]  # fmt: skip
        assert len(cells) == len(fences), path
        for cell, fence in zip(cells, fences, strict=True):
            ast.parse(cell.source)
            assert cell.source.strip() == fence.body.strip()
        for cell in book.cells:  # what only the site can show is gone
            assert not LEFT.search(cell.source)


def test_a_notebook_runs_in_an_empty_folder_and_prints_what_the_page_says(
    built_site: Path, tmp_path: Path
) -> None:
    book = nbformat.read(built_site / "try/block-anatomy/block-anatomy.ipynb", as_version=4)
    said = [c.outputs[0].text.strip() for c in book.cells if c.cell_type == "code" and c.outputs]
    assert said
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = [
        "".join(o.text for o in cell.outputs if o.output_type == "stream").strip()
        for cell in book.cells
        if cell.cell_type == "code"
    ]
    assert [text for text in printed if text] == said


def test_the_commands_of_run_locally_name_the_pages_own_file(pages: dict[str, Any]) -> None:
    found = 0
    for page in pages.values():
        for box in page.iter("details"):
            if box.get("class") != "ll-local":
                continue
            found += 1
            (link,) = (a for a in page.iter("a") if a.get("class") == "ll-notebook")
            code = next(box.iter("code"))
            install, doctor, run = "".join(code.itertext()).strip().splitlines()
            assert install.startswith("python -m pip install ")
            assert "lineage-lab[docs] @" in install
            assert doctor == "python -m lineage_lab doctor"
            assert run.endswith(f" {link.get('href')}")
    assert found > 20


def test_the_labs_install_as_the_notebooks_do(built_site: Path) -> None:
    book = json.loads(notebooks(built_site)[0].read_text(encoding="utf-8"))
    install = next(c for c in book["cells"] if c["cell_type"] == "code")["source"]
    for lab in (ROOT / "docs/labs").glob("*.ipynb"):
        cells = json.loads(lab.read_text(encoding="utf-8"))["cells"]
        code = next(c for c in cells if c["cell_type"] == "code")
        assert "".join(code["source"]) == "".join(install), lab.name
