"""The prose of a page flows: sentences of a readable length, cause joined to effect, plain words.

What a rule can see is held here: how long the sentences are, how many of them are telegrams, and
words that a native reader stumbles over. `python -m tests.docs.test_language PAGE…` prints the
statistics of pages and each place that breaks a rule. Reading aloud finds the rest.
"""

import pathlib
import re
import sys
from collections.abc import Iterator
from statistics import mean

import pytest

from tests.docs.harness.grammar import ROOT
from tests.docs.test_prose import FENCE

PAGES = [
    ROOT / "docs" / f"{name}.md"
    for name in (
        "chapters/lenet5",
        "chapters/alexnet",
        "chapters/vgg",
        "chapters/googlenet",
        "chapters/resnet",
        "chapters/vit",
        "chapters/efficientnet",
        "chapters/convnext",
        "timeline",
        "choosing",
        "how-to-read-the-numbers",
        "count-it-with-another-tool",
        "from-training-to-serving",
        "weights-from-anywhere",
        "fine-tune",
        "swap-the-head",
        "troubleshooting",
        "index",
    )
]
MEAN = (14, 18)  # words a sentence
SHORT = 6  # words: a sentence of no more is a telegram, unless it is a rare one
SHORT_SHARE = 0.12

HTML = re.compile(
    r"^<(div|form|section|details|figure|svg|table)\b.*?^</\1>", re.DOTALL | re.MULTILINE
)
# A full stop inside these ends no sentence.
ABBREVIATION = re.compile(r"\b(?:et al|e\.g|i\.e|vs|cf|Fig|Eq|Dr|St|No|approx)\.$")
END = re.compile(r"(?<=[.!?])[\"”’)\]*_]*\s+(?=[\"“‘(\[*_]*[A-Z0-9])")
STUMBLES = {
    "“Who …” for “If you …”": re.compile(r"(?:^|: )Who\b[^?]*$"),
    "“is no X” for “is not an X”": re.compile(
        r"(?<![Tt]here )\b(?:is|are|was|were) no (?!(?:longer|more|less|fewer|better|worse)\b)"
    ),
    "“but” for “except”": re.compile(r"\b(?:all|nothing|none|everything|everyone) but\b"),
    "“dear” for “costly”": re.compile(r"\bdear(?:er|est|ly)?\b"),
    "“anew” for “again”": re.compile(r"\banew\b"),
    "“stands” for “is”": re.compile(r"\b(?:stands?|stood)\b(?! (?:for|out|still|up)\b)"),
}


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs that a reader reads as sentences: no code, tables, notes or headings."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = FENCE.sub("\n", text)
    text = re.sub(r"<!--.*?-->|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    text = HTML.sub("", text)
    for block in re.split(r"\n\s*\n", text):
        kept = []
        for line in block.split("\n"):
            if re.match(r"\s*(?:[#|<]|\[\^|--8<--|\?\?\?|!!!|:::|\[[^\]]+\]: |\*\[)", line):
                continue
            item = re.match(r"\s*(?:[-*]|\d+\.)\s+(.*)", line)
            if item and kept:
                yield plain(" ".join(kept))
                kept = []
            kept.append(item[1] if item else line.strip())
        if kept:
            yield plain(" ".join(kept))


def plain(text: str) -> str:
    """The words of a paragraph without marks: code and formulas count as a word."""
    text = re.sub(r"^(?:\*\*|__)[^*]+[.?!:](?:\*\*|__)", "", text)  # a heading that runs in
    text = re.sub(r"\[\^[^\]]+\]|\{[^}]*\}", "", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\\\(.*?\\\)|`[^`]+`", "Code", text)
    text = re.sub(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"<[^>]+>", "", text)
    return re.sub(r"\*\*|\*|__", "", text).strip()


def sentences(paragraph: str) -> list[str]:
    parts: list[str] = []
    for part in END.split(paragraph):
        if parts and ABBREVIATION.search(parts[-1]):
            parts[-1] += " " + part
        else:
            parts.append(part)
    return [part for part in parts if re.search(r"[.!?:][\"”’)\]]*$", part)]


def words(sentence: str) -> int:
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def lengths(text: str) -> list[int]:
    return [words(sentence) for part in paragraphs(text) for sentence in sentences(part)]


def breaks(text: str) -> list[str]:
    """What breaks a rule on a page, each with its sentence."""
    counts = lengths(text)
    if not counts:
        return []
    wrong = []
    if not MEAN[0] <= mean(counts) <= MEAN[1]:
        wrong.append(f"a mean of {mean(counts):.1f} words a sentence")
    short = sum(count <= SHORT for count in counts) / len(counts)
    if short > SHORT_SHARE:
        wrong.append(f"{short:.0%} of the sentences have {SHORT} words or fewer")
    for part in paragraphs(text):
        brief = [sentence for sentence in sentences(part) if words(sentence) <= SHORT]
        if len(brief) > 1:
            wrong.append(f"{len(brief)} telegrams in one paragraph: {' '.join(brief)}")
        for sentence in sentences(part):
            wrong += [
                f"{name}: {sentence}" for name, rule in STUMBLES.items() if rule.search(sentence)
            ]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_prose_of_a_page_flows(page: pathlib.Path) -> None:
    assert breaks(page.read_text(encoding="utf-8")) == []


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page_text = pathlib.Path(name).read_text(encoding="utf-8")
        found = lengths(page_text)
        if not found:
            continue
        brief_share = sum(count <= SHORT for count in found) / len(found)
        print(
            f"{name}: {len(found)} sentences, {mean(found):.1f} words in the mean, "
            f"{brief_share:.0%} of {SHORT} or fewer"
        )
        for line in breaks(page_text):
            print(f"  {line}")
