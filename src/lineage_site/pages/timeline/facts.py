"""The lineage at a glance: what the page says that none of its tables shows."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (
    Fact("GoogLeNet's accuracy", "top-5 only", "Szegedy 2014, section 7, Tables 2 and 3"),
    Fact("The years are those of the first public version", 1998, "lineage_lab.chapters.lineage"),
)
