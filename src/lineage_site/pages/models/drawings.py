"""Every network's name, by chapter: a table, and the words by which the search knows it."""

import json

from lineage_lab.chapters.lineage import NETWORKS
from lineage_lab.registry import list_models

__all__ = ["draw"]

FAMILIES = {"lenet5": ("lenet",), "convnext": ("convnext", "convnext_steps")}


def draw() -> dict[str, str]:
    """The table of names, and for each chapter the names and authors that lead to it."""
    rows = ["| chapter | names for `create_model` |", "| --- | --- |"]
    words: dict[str, list[str]] = {}
    for network in NETWORKS:
        families = FAMILIES.get(network.key, (network.key,))
        names = [name for family in families for name in list_models(family)]
        listed = ", ".join(f"`{name}`" for name in names)
        rows.append(f"| [{network.name}](../chapters/{network.key}.md) | {listed} |")
        surnames = (author.split()[-1] for author in network.authors)
        words[f"chapters/{network.key}/"] = [*names, network.name, *surnames]
    words["api/models/"] = list(list_models())
    return {"names.md": "\n".join([*rows, ""]), "names.json": json.dumps(words, indent=1)}
