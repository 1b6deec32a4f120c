"""The list of references and its BibTeX, from the lineage and from the works that pages cite."""

import re
from html import escape

from lineage_lab.chapters.lineage import NETWORKS
from lineage_site.facts.references import REFERENCES, Reference

__all__ = ["bibtex", "draw"]


def draw() -> dict[str, str]:
    """Two lists, and all entries as BibTeX."""
    papers = tuple(
        Reference(n.key, n.authors, n.title, n.venue, n.year, n.link, n.idea) for n in NETWORKS
    )
    entries = "\n\n".join(bibtex(r) for r in (*papers, *REFERENCES))
    return {
        "lineage.md": _table(papers),
        "others.md": _table(REFERENCES),
        "bibtex.html": _pre(entries),
    }


def _pre(text: str) -> str:
    return f'<pre class="ll-bibtex" tabindex="0"><code>{escape(text, quote=False)}</code></pre>\n'


def _table(references: tuple[Reference, ...]) -> str:
    rows = (
        f"| {r.year} | {_names(r.authors)}, [{r.title}]({r.link}), *{r.venue}* | {r.why} |"
        for r in references
    )
    head = ("| Year | Work | What we take from it |", "| --- | --- | --- |")
    return "\n".join((*head, *rows, ""))


def _names(authors: tuple[str, ...]) -> str:
    """At most three names."""
    if authors[-1] == "others":
        return f"{authors[0]} and others"
    if len(authors) > 3:
        return f"{authors[0]} and {len(authors) - 1} others"
    return ", ".join(authors)


def bibtex(reference: Reference) -> str:
    """One entry, which BibTeX and biber read.

    Args:
        reference: The work.

    Returns:
        The entry, without a line end.
    """
    arxiv = re.search(r"arxiv\.org/abs/([\d.]+)", reference.link)
    doi = re.search(r"doi\.org/(.+)", reference.link)
    kind = "misc" if reference.venue == "arXiv" else "inproceedings"
    if re.search(r"\d, \d|\(\d+\)", reference.venue):
        kind = "article"
    where = {"misc": "howpublished", "inproceedings": "booktitle", "article": "journal"}[kind]
    fields = {
        "author": " and ".join(reference.authors),
        "title": f"{{{reference.title}}}",
        where: reference.venue,
        "year": str(reference.year),
    }
    if arxiv:
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
    if doi:
        fields["doi"] = doi[1]
    fields["url"] = reference.link
    lines = ",\n".join(f"  {name} = {{{_tex(value)}}}" for name, value in fields.items())
    return f"@{kind}{{{reference.key},\n{lines}\n}}"


def _tex(text: str) -> str:
    return text.replace("&", r"\&").replace("–", "--").replace("×", r"$\times$")
