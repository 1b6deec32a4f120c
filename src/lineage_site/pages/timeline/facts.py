"""The lineage at a glance: what the page says that none of its tables shows."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (
    Fact("GoogLeNet's accuracy", "top-5 only", "Szegedy 2014, section 7, Tables 2 and 3"),
    Fact("From LeNet-5 to ConvNeXt", "24 years: 1998 to 2022", "lineage_lab.chapters.lineage"),
    Fact("AlexNet's parameters beside LeNet-5's", "1,000 times: 61.1 million and 60,000",
         "counted by describe"),
    Fact("The years are those of the first public version", 1998, "lineage_lab.chapters.lineage"),
)  # fmt: skip
