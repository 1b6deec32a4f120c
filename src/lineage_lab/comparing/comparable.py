"""Two comparisons side by side: what of them may not be compared, and why.

A table of one's own invites a glance at somebody else's. Accuracies can be compared where the
images, the recipe and the kind of weights are the same; times only on the same machine, too.
"""

from collections.abc import Iterable, Sequence

from lineage_lab.comparing.results import Comparison
from lineage_lab.training.recipe import Recipe

__all__ = ["comparability"]

# Where a run was made: the words for what differs, and its name in the file.
MACHINE = {
    "processor": "processors",
    "gpu": "GPUs",
    "device": "devices",
    "cores": "numbers of cores",
    "threads": "numbers of threads",
    "precision": "precisions",
    "torch": "versions of torch",
}


def comparability(own: Comparison, other: Comparison) -> tuple[str, ...]:
    """What of two comparisons may be compared, and what not.

    Args:
        own: The one that is read.
        other: The one that it is laid beside, such as the reference of the site.

    Returns:
        A sentence on the accuracies, one on the times, and one more if `own` has fewer seeds.
    """
    images, recipes = _images(own, other), _recipes(own, other)
    sentences = [
        _sentence(
            "Accuracies",
            [*images, *recipes, *_weights(own, other)],
            "the same images, recipe and kind of weights",
        ),
        _sentence(
            "Times",
            [
                *(["the images are not the same"] if images else []),
                *(["the recipes differ"] if recipes else []),
                *_machines(own, other),
            ],
            "the same images, recipe and machine",
        ),
    ]
    mine, theirs = len(own.seeds), len(other.seeds)
    if mine < theirs:
        sentences.append(
            f"Fewer seeds, {mine} in place of {theirs}: "
            + (
                "how far another seed would lie from this one is not known."
                if mine == 1
                else "the means and their spread are less sure."
            )
        )
    return tuple(sentences)


def _sentence(what: str, reasons: Sequence[str], fine: str) -> str:
    if reasons:
        return f"{what} may not be compared: {'; '.join(reasons)}."
    return f"{what} may be compared: {fine}."


def _images(own: Comparison, other: Comparison) -> list[str]:
    mine, theirs = own.data, other.data
    if (mine["name"], mine["classes"]) != (theirs["name"], theirs["classes"]):
        return [f"the images are others ({mine['name']}, and {theirs['name']})"]
    few, many = (f"{d['train']:,} and {d['val']:,}" for d in (mine, theirs))
    if few != many:
        where = "to train on and to validate with"
        return [f"the numbers of images differ ({few} {where}, in place of {many})"]
    ways = [(d["drawn_by_seed"], d.get("groups", 0)) for d in (mine, theirs)]
    if ways[0] != ways[1]:
        return ["the images were split in another way"]
    prints = {row.input_size: row.fingerprint for row in other.rows if row.fingerprint}
    for row in own.rows:
        if row.fingerprint and prints.get(row.input_size, row.fingerprint) != row.fingerprint:
            return ["the images of this name are others (their fingerprints differ)"]
    return []


def _recipes(own: Comparison, other: Comparison) -> list[str]:
    """A line that an older file does not have counts as its default; so no old one is asked for."""
    defaults = Recipe().to_dict()

    def values(result: Comparison, key: str) -> str:
        lines = {_in_words(row.recipe.get(key, defaults[key])) for row in result.rows}
        return " or ".join(sorted(lines))

    differing = [
        f"{key} {values(own, key)} in place of {values(other, key)}"
        for key in sorted(defaults)
        if values(own, key) != values(other, key)
    ]
    return [f"the recipes differ ({', '.join(differing)})"] if differing else []


def _weights(own: Comparison, other: Comparison) -> list[str]:
    if own.is_random != other.is_random:
        return [f"only {'the other' if own.is_random else 'this'} started from pretrained weights"]
    theirs = {row.name: row.sha256 for row in other.rows}
    names = [row.name for row in own.rows if theirs.get(row.name, row.sha256) != row.sha256]
    return [f"the weights to start from are others ({', '.join(names)})"] if names else []


def _machines(own: Comparison, other: Comparison) -> list[str]:
    """What a file does not tell is not counted against it."""
    reasons = []
    for key, words in MACHINE.items():
        mine, theirs = (_joined(_made(result, key)) for result in (own, other))
        if mine != theirs and "?" not in (mine, theirs):
            reasons.append(f"the {words} differ ({mine} in place of {theirs})")
    return reasons


def _made(result: Comparison, key: str) -> Iterable[str]:
    for row in result.rows:
        for run in row.runs:
            own = {"device": run.device, "precision": run.precision}
            yield own.get(key, run.provenance.get(key, "?"))


def _joined(values: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(values))


def _in_words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
