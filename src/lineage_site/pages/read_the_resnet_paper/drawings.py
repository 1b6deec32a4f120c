"""The table of the guided reading, from its ledger."""

from lineage_site.drawing.chapter import fact_table

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """The facts of the ResNet paper that the reading meets."""
    return {"facts.md": fact_table("read_the_resnet_paper")}
