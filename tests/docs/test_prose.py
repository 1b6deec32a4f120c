"""Each number in a chapter's prose is a fact of the ledger, or the page's own code shows it.

A number counts as held if it stands in the chapter's facts, in what the papers print of its
networks, in an output or a fence of the page, or in a table that is generated into it. Number
words are numbers too where they measure or rank, such as "two points" or "the three best".

Where a section shows several runs, a paragraph that gives a figure in percent or in points says in
a comment above it where its figures come from, and each has to stand in one of these places::

    <!-- from: output dropout; fact Gain by the recipe; generated/convnext/waking.md -->

``output WORDS`` is the one output block of the page that holds the words, ``PAGE.md output WORDS``
that of another page, ``fact WORDS`` the entries of the page's ledger whose names begin so,
``results/FILE.json KEY/KEY`` what is kept of a run. A difference of two figures of one place may be
given in points.
"""

import json
import pathlib
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations

import pytest

from lineage_lab.chapters import lineage
from lineage_site.drawing.build import TOPICS
from lineage_site.facts import ledger, printed
from tests.docs.harness.grammar import ROOT

CHAPTERS = [
    *sorted((ROOT / "docs" / "chapters").glob("*.md")),
    ROOT / "docs" / "choosing.md",
    ROOT / "docs" / "read-the-resnet-paper.md",
    ROOT / "docs" / "timeline.md",
    ROOT / "docs" / "how-to-read-the-numbers.md",
    ROOT / "docs" / "count-it-with-another-tool.md",
    ROOT / "docs" / "from-training-to-serving.md",
    ROOT / "docs" / "weights-from-anywhere.md",
    *sorted((ROOT / "docs" / "try").glob("*.md")),
]
# A digit inside a name is no number: LeNet-5, ResNet-50, v1.5, C3, VGG-16, 2D, B0.
NUMBER = re.compile(r"(?<![\w.,/-])(?<!\d[ \u202f])[-−]?\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d|-\w)")
# The page's furniture (reading time) and what is counted on fingers hold no claim.
SMALL = {str(n) for n in range(11)}
FENCE = re.compile(r"^([ \t]*)(`{3,}).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
POWERS = {"hundred": 100, "thousand": 1000}
SPELT = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(TENS[2:])})(?:[- ](?P<unit>{'|'.join(ONES[1:10])}))?"
    rf"|(?:(?P<times>{'|'.join(ONES[1:])}|a) )?(?P<power>hundred|thousand)"
    rf"|(?P<one>{'|'.join(ONES[2:])}))\b",
    re.IGNORECASE,
)
# A number word up to ten claims something where it measures or ranks: others count on fingers.
MEASURES = re.compile(
    r"[ -](?:\w+ )?(?:points?|percent|times|seeds?|passes|epochs?|hours?|days?|minutes?|best|worst"
    r"|largest|smallest|fastest)\b"
)
FROM = re.compile(r"<!-- from: (?P<places>.*?) -->\n(?P<paragraph>.+?)(?=\n\s*\n|\Z)", re.DOTALL)
SHARE = re.compile(r"\d(?: to \d[\d.]*)?\s(?:%|points?\b)")


def prose(text: str) -> str:
    """The words of a page that a reader reads as claims."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = FENCE.sub("", text)
    text = re.sub(r"<div class=\"ll-meta\".*?</div>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->|\$\$.*?\$\$|\\\(.*?\\\)|`[^`\n]*`", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\[\^[^\]]+\]:.*$|^--8<--.*$|\[\^[^\]]+\]", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(#+ .*|\s*\d+\. )", "", text, flags=re.MULTILINE)
    places = r"[Ss]ections? \d[\d.]*(?: (?:and|to) \d[\d.]*)?|Tables? \d+|arXiv:\d+\.\d+"
    text = re.sub(places, " ", text)
    return re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)


def plain(number: str) -> str:
    return number.replace(",", "").replace("−", "-").lstrip("-").rstrip(".")


def numbers(text: str) -> set[str]:
    return {plain(n) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def spelt(text: str) -> Iterator[tuple[int, str]]:
    """Numbers that are written as words and claim something: their value, and the words."""
    for match in SPELT.finditer(text):
        if match["tens"]:
            value = 10 * TENS.index(match["tens"].lower())
            value += ONES.index(match["unit"].lower()) if match["unit"] else 0
        elif match["power"]:
            times = (match["times"] or "one").lower()
            value = POWERS[match["power"].lower()] * (1 if times == "a" else ONES.index(times))
        else:
            value = ONES.index(match["one"].lower())
        if value > 10 or MEASURES.match(text, match.end()):
            yield value, match.group(0)


def facts(page: pathlib.Path) -> set[str]:
    """The numbers of the page's ledger."""
    with suppress(KeyError):  # a page of few numbers needs no facts
        entries = ledger.facts(page.stem.replace("-", "_"))
        return set().union(*(numbers(str(fact.value)) for fact in entries))
    return set()


def evidence(text: str) -> set[str]:
    """The numbers in the fences and outputs of a text, and in what is generated into it."""
    found = numbers(" ".join(m.group(0) for m in FENCE.finditer(text)))
    found |= numbers(" ".join(re.findall(r"`([^`\n]*)`", FENCE.sub("", text))))
    for included in re.findall(r'--8<-- "(generated/[^"]+)"', text):
        found |= numbers((ROOT / "docs" / included).read_text(encoding="utf-8"))
    return found


def held(page: pathlib.Path, text: str) -> set[str]:
    """Every number that the page's own evidence holds, and what the papers print."""
    found = facts(page) | evidence(text) | {plain(row.value) for row in printed.PRINTED}
    for network in lineage.NETWORKS:
        found |= {str(network.year), str(network.parameters)}
    return found


def sections(text: str) -> list[str]:
    """The page in parts, each from one heading to the next."""
    return re.split(r"^(?=##+ )", text, flags=re.MULTILINE)


def unheld(page: pathlib.Path, text: str) -> list[str]:
    known = held(page, text) | SMALL
    text = FROM.sub("", text)  # `misplaced` looks at these
    missing = [n for m in NUMBER.finditer(prose(text)) if (n := plain(m.group(0))) not in known]
    for section in sections(text):  # small numbers stand everywhere: their evidence stands near
        near = {round(float(n)) for n in evidence(section) if re.fullmatch(r"[\d.]*\d", n)}
        near |= {int(n) for n in facts(page) if n.isdigit()}
        missing += [words for value, words in spelt(prose(section)) if value not in near]
    return missing


def output(text: str, words: str) -> str:
    """The one output block that holds the words."""
    blocks = [m.group(0) for m in FENCE.finditer(text) if ".output" in m.group(0).split("\n")[0]]
    fitting = [block for block in blocks if words in block]
    assert len(fitting) == 1, f"{len(fitting)} output blocks hold {words!r}"
    return fitting[0].partition("\n")[2]  # what stands in the fence's own line is no output


def leaves(value: object) -> Iterator[float]:
    """All numbers inside a JSON value."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif isinstance(value, int | float):
        yield float(value)


def stands_in(place: str, page: pathlib.Path, text: str) -> list[float]:
    """The numbers that a place of a ``from:`` comment holds; a share as a percentage too."""
    where, _, words = place.partition(" ")
    if where == "output":
        told = output(text, words)
    elif where == "fact":
        entries = ledger.facts(page.stem.replace("-", "_"))
        told = " ".join(f"{f.name} {f.value}" for f in entries if f.name.startswith(words))
        assert told, f"no fact of this page begins with {words!r}"
    elif where.startswith("results/"):
        kept = json.loads((ROOT / "docs" / where).read_text(encoding="utf-8"))
        for key in words.split("/"):
            kept = kept[key]
        return [n for leaf in leaves(kept) for n in (leaf, 100 * leaf)]
    else:
        told = (ROOT / "docs" / where).read_text(encoding="utf-8")
        told = output(told, words.removeprefix("output ")) if words else told
    return [float(n) for n in numbers(told) if n]


def shown(figure: str, after: str, there: list[float]) -> bool:
    """Whether a figure is one of the numbers, rounded; in points also a difference of two."""
    if re.match(r"\W+(?:\w+ )?points?\b", after):
        there = [*there, *(abs(a - b) for a, b in combinations(there, 2))]
    return any(round(n, len(figure.partition(".")[2])) == float(figure) for n in there)


def misplaced(page: pathlib.Path, text: str) -> list[str]:
    """Figures that stand in none of the places that their paragraph names, and idle places."""
    faults = []
    for match in FROM.finditer(text):
        words = prose(match["paragraph"])
        places = match["places"].split("; ")
        figures = [(plain(m.group(0)), words[m.end() :]) for m in NUMBER.finditer(words)]
        figures += [(str(n), words.partition(spelling)[2]) for n, spelling in spelt(words)]
        idle = set(places)
        for figure, after in figures:
            fitting = {p for p in places if shown(figure, after, stands_in(p, page, text))}
            idle -= fitting
            faults += [] if fitting else [figure]
        faults += [f"idle: {place}" for place in sorted(idle)]
    return faults


def unnamed(text: str) -> list[str]:
    """Paragraphs with a share or with points, in sections of several runs, that name no place."""
    found = []
    for section in sections(text):
        runs = len(re.findall(r"\.output[^}\n]*data-tol", section))
        for topic in re.findall(r'--8<-- "generated/([^/"]+)/', section):
            runs += any("results/" in source for source in TOPICS[topic][1:])
        if runs < 2:
            continue
        for paragraph in re.split(r"\n\s*\n", FENCE.sub("", section)):
            words = prose(paragraph)
            share = SHARE.search(words) or any(
                re.match(r" (?:\w+ )?(?:points?|times out)\b", words[m.end() :])
                for m in SPELT.finditer(words)
            )
            if share and not FROM.match(paragraph):
                found.append(paragraph)
    return found


@pytest.fixture(scope="module", autouse=True)
def drawn(figures: pathlib.Path) -> None:
    """The tables that the pages include are there."""


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_each_number_of_the_prose_has_its_source(page: pathlib.Path) -> None:
    missing = unheld(page, page.read_text(encoding="utf-8"))
    assert not missing, (
        f"{page.name}: in the prose, but in no output and no fact: {missing}. Assert it in a "
        "snippet, or give it with its source in the page's facts.py"
    )


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda p: p.stem)
def test_figures_beside_several_runs_stand_in_the_places_that_are_named(page: pathlib.Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not misplaced(page, text), "these are not where their paragraph says they come from"
    assert not unnamed(text), "say in a comment above the paragraph where its figures come from"


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


@pytest.mark.parametrize(
    "claim",
    ["seventy-three networks", "two hundred of them", "the nine best networks", "lost nine points"],
)
def test_a_planted_number_word_is_found(claim: str) -> None:
    page = ROOT / "docs" / "chapters" / "lenet5.md"
    text = page.read_text(encoding="utf-8")
    assert len(unheld(page, f"{text}\n\n## A new part\n\nThey {claim}.")) == 1


RUNS = """## Two runs

```{.text .output data-tol="2"}
one pass: 81.2 %
two lines: 74.9 %
```

```{.text .output data-tol="2"}
four passes: 92.0 %
```

"""


@pytest.mark.parametrize(
    ("paragraph", "fault"),
    [
        ("<!-- from: output one pass -->\nIt has 81 %, and six points are lost.", []),
        ("<!-- from: output one pass -->\nIt has 92 %.", ["92", "idle: output one pass"]),
        ("<!-- from: output one pass; output four -->\nIt has 81 %.", ["idle: output four"]),
        ("<!-- from: output four -->\nIt loses two points.", ["2", "idle: output four"]),
        ("It has 92 %.", ["It has 92 %."]),
        ("It is wrong four times out of ten.", ["It is wrong four times out of ten."]),
    ],
)
def test_a_figure_of_another_run_is_found(paragraph: str, fault: list[str]) -> None:
    page = ROOT / "docs" / "chapters" / "lenet5.md"
    assert misplaced(page, RUNS + paragraph) + unnamed(RUNS + paragraph) == fault
