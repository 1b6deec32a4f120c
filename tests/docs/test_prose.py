"""Each number in a chapter's prose is a fact of the ledger, or the page's own code shows it.

A number counts as held if it stands in the chapter's facts, in what the papers print of its
networks, in an output or a fence of the page, or in a table that is generated into it.
"""

import pathlib
import re
from contextlib import suppress

import pytest

from lineage_lab.chapters import lineage
from lineage_site.facts import ledger, printed
from tests.docs.harness.grammar import ROOT

CHAPTERS = [
    *sorted((ROOT / "docs" / "chapters").glob("*.md")),
    ROOT / "docs" / "choosing.md",
    ROOT / "docs" / "read-the-resnet-paper.md",
    ROOT / "docs" / "timeline.md",
    *sorted((ROOT / "docs" / "try").glob("*.md")),
]
# A digit inside a name is no number: LeNet-5, ResNet-50, v1.5, C3, VGG-16, 2D, B0.
NUMBER = re.compile(r"(?<![\w.,/-])(?<!\d[ \u202f])[-−]?\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d|-\w)")
# The page's furniture (reading time) and what is counted on fingers hold no claim.
SMALL = {str(n) for n in range(11)}
FENCE = re.compile(r"^([ \t]*)(`{3,}).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """The words of a page that a reader reads as claims."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = FENCE.sub("", text)
    text = re.sub(r"<div class=\"ll-meta\".*?</div>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|\$\$.*?\$\$|\\\(.*?\\\)|`[^`\n]*`", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\[\^[^\]]+\]:.*$|^--8<--.*$|\[\^[^\]]+\]", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(#+ .*|\s*\d+\. )", "", text, flags=re.MULTILINE)
    text = re.sub(r"[Ss]ections? \d[\d.]*(?: (?:and|to) \d[\d.]*)?|arXiv:\d+\.\d+", " ", text)
    return re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)


def plain(number: str) -> str:
    return number.replace(",", "").replace("−", "-").lstrip("-").rstrip(".")


def numbers(text: str) -> set[str]:
    return {plain(n) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def held(page: pathlib.Path, text: str) -> set[str]:
    """Every number that the page's own evidence holds."""
    key = page.stem.replace("-", "_")
    found: set[str] = set()
    with suppress(KeyError):  # a page of few numbers needs no facts
        found |= set().union(*(numbers(str(f.value)) for f in ledger.facts(key)))
    for network in lineage.NETWORKS:
        found |= {str(network.year), str(network.parameters)}
    found |= {plain(row.value) for row in printed.PRINTED}
    found |= numbers(" ".join(m.group(0) for m in FENCE.finditer(text)))
    found |= numbers(" ".join(re.findall(r"`([^`\n]*)`", FENCE.sub("", text))))
    for included in re.findall(r'--8<-- "(generated/[^"]+)"', text):
        found |= numbers((ROOT / "docs" / included).read_text(encoding="utf-8"))
    return found


def unheld(page: pathlib.Path, text: str) -> list[str]:
    known = held(page, text) | SMALL
    said = [plain(m.group(0)) for m in NUMBER.finditer(prose(text))]
    return [n for n in said if n not in known]


@pytest.fixture(scope="module", autouse=True)
def drawn(figures: pathlib.Path) -> None:
    """The tables that the pages include are there."""


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_each_number_of_the_prose_has_its_source(page: pathlib.Path) -> None:
    missing = unheld(page, page.read_text(encoding="utf-8"))
    assert not missing, (
        f"{page.name}: in the prose, but in no output and no fact: {missing}. Assert it in a "
        "snippet, or give it with its source in src/lineage_lab/ledger"
    )


@pytest.mark.parametrize(
    "claim",
    [
        "It has 61,706,123 weights.",
        "The error fell to 17.35 %.",
        "In 1987 nobody knew.",
        "a\n123456",
    ],
)
def test_a_planted_number_is_found(claim: str) -> None:
    page = ROOT / "docs" / "chapters" / "lenet5.md"
    text = page.read_text(encoding="utf-8")
    assert unheld(page, text + "\n\n" + claim) == [
        plain(m.group(0)) for m in NUMBER.finditer(claim)
    ]
