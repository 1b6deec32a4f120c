"""The table of the guided reading, from its ledger.

Neighbours: `lineage_lab.ledger.read_the_resnet_paper` has the facts.
"""

from lineage_lab.figures.chapter import fact_table

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """The facts of the ResNet paper that the reading meets."""
    return {"facts.md": fact_table("read_the_resnet_paper")}
