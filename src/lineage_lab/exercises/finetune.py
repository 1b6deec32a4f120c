"""The main exercise: three backbones, the same images, one budget; is the table a fair one?

The checker does not look for good numbers. It asks whether the table can carry a conclusion,
and then says which.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import Row
from lineage_lab.exercises import Wrong

__all__ = ["CHECKS"]


def three_backbones(answer: Any) -> str:
    """A comparison of three networks or more: its file's path, or the object itself."""
    comparison = answer if isinstance(answer, Comparison) else _read(answer)
    _must_be_fair(comparison)
    best = max(comparison.rows, key=lambda row: mean(row.accuracies))
    fastest = min(comparison.rows, key=lambda row: mean(row.seconds))
    said = [f"A fair table. {_accuracy(best)}, in {_time(best)}."]
    if best is fastest:
        said.append("It is also the fastest, so that nothing speaks for the others here.")
    else:
        times = mean(best.seconds) / mean(fastest.seconds)
        points = 100 * (mean(best.accuracies) - mean(fastest.accuracies))
        said.append(
            f"{_accuracy(fastest)}, in {_time(fastest)}: {times:.1f} times as fast, and "
            f"{points:.1f} points behind."
        )
        spread = 100 * max(stdev(row.accuracies) for row in (best, fastest))
        if not comparison.words:
            near = "no more than" if points <= spread else "more than"
            said.append(f"That is {near} the seeds differ among themselves ({spread:.1f} points).")
    said += comparison.words
    said.append("Which would you take, and what would change your mind?")
    return " ".join(said)


def _read(answer: Any) -> Comparison:
    if not isinstance(answer, str | Path) or not Path(answer).is_file():
        raise Wrong(
            "The exercise asks for the file that `lineage-lab compare … --out exercise` wrote: "
            f"exercise/comparison.json. {str(answer)[:80]!r} is no such file."
        )
    try:
        return Comparison.load(answer)
    except ValueError as error:
        raise Wrong(str(error)) from error


def _must_be_fair(comparison: Comparison) -> None:
    if len(comparison.rows) < 3:
        few = "one network" if len(comparison.rows) == 1 else "two networks"
        raise Wrong(f"It compares {few}; the exercise asks for three.")
    if len(comparison.seeds) < 2:
        raise Wrong(
            "It has one seed. Another seed might turn the order round, and this table can't say: "
            "leave --seeds at its default."
        )
    if comparison.is_random:
        raise Wrong("A network started from random weights; the exercise asks for pretrained ones.")
    if comparison.limit is not None:
        raise Wrong(f"It used a part of the images (--limit {comparison.limit}). Use all of them.")
    budgets = {(row.recipe.get("epochs"), row.recipe.get("minutes")) for row in comparison.rows}
    if len(budgets) > 1:
        raise Wrong("The networks were not given the same budget of epochs or minutes.")
    machines = {
        (run.provenance.get("processor"), run.provenance.get("gpu"), run.device)
        for row in comparison.rows
        for run in row.runs
    }
    if len(machines) > 1:
        raise Wrong("It was run on more than one machine, so that its times can't be compared.")


def _accuracy(row: Row) -> str:
    values = [100 * value for value in row.accuracies]
    return f"{row.name} has {mean(values):.1f} ± {stdev(values):.1f} %"


def _time(row: Row) -> str:
    return f"{mean(row.seconds):.0f} s of training"


CHECKS = {"finetune-1": three_backbones}
