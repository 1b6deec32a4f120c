"""LeNet-5. Sections are those of LeCun, Bottou, Bengio and Haffner 1998."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (
    Fact("Input", "32 × 32 pixels, one channel", "section II.B"),
    Fact("Trainable parameters", 60_000, "section II.B"),
    Fact("Connections", 340_908, "section II.B"),
    Fact("Layers, the input not counted", 7, "section II.B"),
    Fact("Test error on MNIST, 60,000 training digits, 20 passes", "0.95 %", "section III.B"),
    Fact("The same, training digits distorted", "0.8 %", "section III.B"),
    Fact("Neocognitron", 1980, "doi:10.1007/BF00344251", shown=False),
    Fact("Backpropagation on postal codes", 1989, "doi:10.1162/neco.1989.1.4.541", shown=False),
    Fact(
        "Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data.sets", shown=False
    ),
)
