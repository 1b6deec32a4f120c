"""References: complete, in the order of their years, and BibTeX that a reader can paste."""

import re
from pathlib import Path

from lineage_lab.chapters.lineage import NETWORKS
from lineage_site.facts.references import REFERENCES
from lineage_site.pages.references.drawings import bibtex, draw


def test_each_work_has_an_address_and_stands_in_the_order_of_years() -> None:
    assert all(r.link.startswith("https://") and r.why and r.venue for r in REFERENCES)
    assert [r.year for r in REFERENCES] == sorted(r.year for r in REFERENCES)
    keys = [r.key for r in REFERENCES] + [n.key for n in NETWORKS]
    assert len(keys) == len(set(keys))


def test_bibtex_is_well_formed() -> None:
    for entry in map(bibtex, REFERENCES):
        assert re.match(r"@(article|inproceedings|misc)\{\w+,\n", entry)
        assert entry.count("{") == entry.count("}")
        assert "–" not in entry
        assert not re.search(r"(?<!\\)&", entry)
    assert draw()["bibtex.html"].count("  author = ") == len(REFERENCES) + len(NETWORKS)


def test_the_arxiv_number_and_the_year_of_a_paper_are_at_most_two_apart() -> None:
    for work in (*REFERENCES, *NETWORKS):
        if number := re.search(r"arxiv\.org/abs/(\d\d)(\d\d)\.", work.link):
            assert abs(2000 + int(number[1]) - work.year) <= 2, work


WORK = re.compile(r"\((https://(?:arxiv\.org/abs/|doi\.org/|hal\.)[^)\s]+)\)")
DOCS = Path(__file__).parents[2] / "docs"


def test_each_paper_that_a_footnote_cites_is_listed() -> None:
    listed = {work.link for work in (*REFERENCES, *NETWORKS)}
    missing = [
        f"{page.name}: {link}"
        for page in (*DOCS.glob("*.md"), *DOCS.glob("chapters/*.md"))
        for note in re.findall(r"^\[\^[\w-]+\]: .*", page.read_text("utf-8"), re.MULTILINE)
        if not any(network.link in note for network in NETWORKS)  # and where it was printed again
        for link in WORK.findall(note)
        if link not in listed
    ]
    assert missing == []
