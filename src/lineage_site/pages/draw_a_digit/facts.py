"""Draw a digit: what the page says of MNIST's making."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (
    Fact("Pixels that a digit is fitted into", "20×20", "LeCun 1998, section III.A"),
    Fact("Pixels of MNIST's pictures, centre of mass in the middle", "28×28", "section III.A"),
    Fact("Pixels of the network's input", "32×32", "LeCun 1998, section II.B"),
    Fact("A unit's highest value, A of the squashing function", "1.7", "Appendix A"),
    Fact("Test digits of the chapter's experiment", "1,000", "lineage_lab.data.split_digits"),
)
