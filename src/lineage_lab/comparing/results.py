r"""What a comparison gives: its table, and the JSON that keeps it.

The file (schema 2) is one object:

| key | what it holds |
| --- | --- |
| `schema` | 2: of this form. |
| `data` | `name`, `licence`, `classes`, `train` and `val` (numbers of images), `drawn_by_seed`. |
| | Where groups were kept whole, `grouped_by` and `groups`, their number. |
| `limit` | At most about so many images were used, or `null` for all. |
| `rows` | One a network: its attributes (`lineage_lab.comparing.runs.Row`), `runs` among them. |
| `derived` | Computed from the above, for readers without this package; `load` ignores it. |

`runs` holds one object a seed: the attributes of `lineage_lab.training.history.History`, of which
`val_accuracy` is written as `accuracy`, `train_seconds` as `seconds`, and `processes` not at all;
`metric`, `best_epoch`, `probabilities` and `val_groups` only where they say something. `groups` of
`data` is the number of groups that the split kept whole; it is there if there were any.

`derived` holds `seeds`, `provenance`, `caption`, `differences` (the attributes of
`lineage_lab.comparing.significance.Difference`, with `words`), and `rows`: for each network
`accuracy` and `seconds` (each with `mean` and `sd`, which is `null` for one seed), `confusion`
(counts over all seeds, a line for each true class) and `classes` (the attributes of `ClassResult`).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lineage_lab.comparing.runs import RANDOM, SCHEMA, Row, read_row, row_record, to_text
from lineage_lab.comparing.significance import LEVEL, Difference, differences, holm
from lineage_lab.files import one_line, write_whole
from lineage_lab.training.metrics import LOWER_IS_BETTER, METRICS, pooled_interval

__all__ = ["ClassResult", "Comparison"]

FEW_PAIRS = 3  # so many have a sentence each, whether a difference is shown or not


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResult:
    """How one class fared, counted over all seeds.

    Attributes:
        name: Name of the class.
        recall: Share of its images that were named so; ``None`` if there were none.
        precision: Share of the images named so that are of it; ``None`` if none was named so.
        support: Number of its validation images.
    """

    name: str
    recall: float | None
    precision: float | None
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The table, with everything that is needed to make it again.

    Attributes:
        rows: Results, one a network, in the order asked for.
        data: Facts of the data set: its ``name``, ``licence`` and ``classes``; ``train`` and
            ``val``: how many images were used; ``drawn_by_seed``: whether each seed drew its
            own split; where groups were kept whole, ``grouped_by`` and their number ``groups``.
        limit: Number of images that were used at most, about; ``None`` for all.

    Examples:
        >>> from lineage_lab import compare
        >>> table = compare(["lenet5_modern"], "digits", seeds=1, limit=40, random_weights=True)
        >>> table.seeds, table.data["name"], table.rows[0].name
        ((0,), 'digits', 'lenet5_modern')
    """

    rows: tuple[Row, ...]
    data: dict[str, Any]
    limit: int | None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, the same for each row."""
        return tuple(run.seed for run in self.rows[0].runs)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe, if all rows have the same; empty if each has its own."""
        first = self.rows[0].recipe
        return first if all(row.recipe == first for row in self.rows) else {}

    @property
    def provenance(self) -> dict[str, str]:
        """Hardware, versions and date; several, if the runs are of several machines or days."""
        every = [run.provenance for row in self.rows for run in row.runs]
        return {key: " / ".join(dict.fromkeys(p.get(key, "?") for p in every)) for key in every[0]}

    @property
    def is_random(self) -> bool:
        """Whether any row started from random weights."""
        return any(row.weights == RANDOM for row in self.rows)

    @property
    def caption(self) -> str:
        """What the table is of, in a sentence or two."""
        d, number = self.data, len(self.seeds)
        budgets = " or ".join(dict.fromkeys(_budget(row.recipe) for row in self.rows))
        seeds = f"{number} seed" + ("s" if number > 1 else "")
        spread = " (mean ± standard deviation)" if number > 1 else ""
        split = "split by seed" if d["drawn_by_seed"] else "the data set's own split"
        if d.get("grouped_by"):
            split += f", each of {d['groups']:,} groups by {d['grouped_by']} on one side"
        own = "" if self.recipe else " Each family with its own recipe."
        part = " A limited run, not the whole set." if self.limit is not None else ""
        random = " Random weights, not pretrained." if self.is_random else ""
        return (
            f"{d['name']}: {d['train']:,} images to train on, {d['val']:,} to validate with, "
            f"{budgets}, {seeds}{spread}, {split}.{own}{part}{random}"
        )

    @property
    def footnote(self) -> str:
        """Where and with what it was measured."""
        p = self.provenance
        runs = [run for row in self.rows for run in row.runs]
        devices = " / ".join(dict.fromkeys(run.device for run in runs))
        kinds = " / ".join(dict.fromkeys(run.memory_kind for run in runs))
        files = "; ".join(dict.fromkeys(r.weights_file for r in self.rows if r.weights_file))
        return (
            f"{p['processor']}, {p['cores']} cores, {devices}; torch {p['torch']}, "
            f"Python {p['python']}, {p['date']}. Time is training alone. Memory is {kinds}. "
            + (f"Weights: {files}. " if files else "")
            + f"Images: {self.data['licence']}."
        )

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Whether the rows differ, pair by pair; empty where the answers were not recorded."""
        if not all(run.answers for row in self.rows for run in row.runs):
            return ()
        return differences(
            {row.name: [run.correct for run in row.runs] for row in self.rows},
            trained=self.data["train"],
            drawn_by_seed=self.data["drawn_by_seed"],
        )

    @property
    def words(self) -> tuple[str, ...]:
        """What the differences are worth, a sentence each; of many pairs only those shown."""
        pairs = self.differences
        if len(pairs) <= FEW_PAIRS:
            return tuple(pair.words for pair in pairs)
        shown = tuple(pair.words for pair in pairs if pair.is_shown)
        if len(shown) == len(pairs):
            return shown
        rest = f"the other {len(pairs) - len(shown)}" if shown else f"all {len(pairs)}"
        return (*shown, f"For {rest} pairs of networks no difference is shown.")

    @property
    def rare_class(self) -> int | None:
        """The rarer of two classes, whose recall stands beside the accuracy.

        Of two that are equal the second; ``None`` for more classes, where a class has no
        image, and where the answers were not recorded.
        """
        runs = [run for row in self.rows for run in row.runs]
        if len(self.data["classes"]) != 2 or not all(run.truth for run in runs):
            return None
        counts = [sum(run.truth.count(label) for run in runs) for label in (0, 1)]
        if not min(counts):
            return None
        return 0 if counts[0] < counts[1] else 1

    @property
    def metric(self) -> str:
        """The metric that all checkpoints were chosen by, if it is another than accuracy."""
        metrics = {run.metric for row in self.rows for run in row.runs}
        is_known = len(metrics) == 1 and all(run.truth for row in self.rows for run in row.runs)
        return metrics.pop() if is_known and metrics != {"accuracy"} else ""

    @property
    def metric_words(self) -> tuple[str, ...]:
        """What the rows' differences of that metric are worth; of many pairs only those shown."""
        if not self.metric:
            return ()
        pairs = list(combinations(self.rows, 2))
        gaps = [pooled_interval(self.metric, a.answered, b.answered) for a, b in pairs]
        corrected = holm([p for _, p in gaps])
        unit = "groups" if self.data.get("groups") else "images"
        sentences = []
        for (a, b), (gap, _), p in zip(pairs, gaps, corrected, strict=True):
            if gap.value is None or gap.low is None or gap.high is None:
                continue
            if p >= LEVEL and len(pairs) > FEW_PAIRS:
                continue
            more = f", corrected for {len(pairs)} pairs" if len(pairs) > 1 else ""
            sentences.append(
                f"{METRICS[self.metric]}: {a.name} less {b.name} is {gap.value:+.3f} "
                f"(95 % interval {gap.low:+.3f} to {gap.high:+.3f}), p = {p:.3f}{more}; paired "
                f"bootstrap over the {unit}.".replace("-0.", "−0.")
            )
        return tuple(sentences)

    def confusion(self, row: Row) -> tuple[tuple[int, ...], ...]:
        """How many images of each class (a line) got each answer (a column), over all seeds."""
        number = len(self.data["classes"])
        counts = [[0] * number for _ in range(number)]
        for run in row.runs:
            for truth, answer in zip(run.truth, run.answers, strict=True):
                counts[truth][answer] += 1
        return tuple(map(tuple, counts))

    def classes(self, row: Row) -> tuple[ClassResult, ...]:
        """How each class fared with one network; empty where the answers were not recorded."""
        counts = self.confusion(row)
        if not any(map(sum, counts)):
            return ()
        return tuple(
            ClassResult(
                name=name,
                recall=counts[i][i] / sum(counts[i]) if sum(counts[i]) else None,
                precision=counts[i][i] / named if (named := sum(c[i] for c in counts)) else None,
                support=sum(counts[i]),
            )
            for i, name in enumerate(self.data["classes"])
        )

    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The table as text, its head first."""
        energy = any(row.energy for row in self.rows)
        costs = ("peak memory", "energy") if energy else ("peak memory",)
        size = ("parameters", "MACs")
        rare = self.rare_class
        found = () if rare is None else (f"{self.data['classes'][rare]} found",)
        chosen = (METRICS[self.metric],) if self.metric else ()
        scores = ("accuracy", *found, *chosen)
        head = ("network", "input", *scores, "time", "images/s", *size, *costs, "weights")
        return (head, *(_cells(row, energy, rare, self.metric) for row in self.rows))

    def to_markdown(self) -> str:
        """The table with its caption, what the rows' differences are worth, and its footnote."""
        head, *body = self.cells()
        rule = ("---", *("--:",) * (len(head) - 2), "---")
        lines = ("| " + " | ".join(map(_escaped, line)) + " |" for line in (head, *body))
        table = "\n".join((next(lines), "| " + " | ".join(rule) + " |", *lines))
        words = "".join(
            f"- {_escaped(sentence)}\n" for sentence in (*self.words, *self.metric_words)
        )
        ends = map(_escaped, (self.caption, self.footnote))
        return f"{next(ends)}\n\n{table}\n\n{words}{words and chr(10)}{next(ends)}\n"

    def to_json(self) -> str:
        """All of it, with what is computed from it; `load` reads it back."""
        derived = {
            "seeds": self.seeds,
            "caption": self.caption,
            "provenance": self.provenance,
            "differences": [{**asdict(d), "words": d.words} for d in self.differences],
            "rows": [
                {
                    "name": row.name,
                    "accuracy": _moments(row.accuracies),
                    "seconds": _moments(row.seconds),
                    "confusion": self.confusion(row),
                    "classes": [asdict(result) for result in self.classes(row)],
                }
                for row in self.rows
            ],
        }
        rows = [row_record(row) for row in self.rows]
        record = {"schema": SCHEMA, "rows": rows, "data": self.data, "limit": self.limit}
        return to_text({**record, "derived": derived})

    def save(self, path: str | Path) -> None:
        """Write the JSON: beside, then renamed, so that no half file is ever seen.

        Raises:
            OSError: It can't be written; a file that was there before is as it was.
        """
        write_whole(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> "Comparison":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is no comparison, of another schema, or contradicts itself; the
                message says where.
        """
        if not Path(path).exists():
            raise FileNotFoundError(
                f"there is no {path}: give a file that `lineage-lab compare` wrote, such as "
                "comparison.json in its --out folder"
            )
        if not Path(path).is_file():
            raise ValueError(f"{path} is no file: give one that `lineage-lab compare` wrote")
        try:
            text = Path(path).read_text(encoding="utf-8")
            record = json.loads(text, parse_constant=_no_number)
            schema = record.pop("schema")
            if schema != SCHEMA:
                raise ValueError(f"its schema is {schema}, and this version reads {SCHEMA}")
            record.pop("derived", None)
            if set(record) != {field.name for field in fields(cls)}:
                raise ValueError(f"its fields are {', '.join(sorted(record))}")
            _check_data(record["data"], record["limit"])
            rows = tuple(read_row(row) for row in record.pop("rows"))
            result = cls(rows=rows, **record)
            if len({tuple(run.seed for run in row.runs) for row in rows}) != 1 or not result.seeds:
                raise ValueError("its rows have not the same seeds")
            if len({tuple(run.truth for run in row.runs) for row in rows}) != 1:
                raise ValueError("its rows have not the same validation images")
            classes, val = len(record["data"]["classes"]), record["data"]["val"]
            for run in (run for row in rows for run in row.runs):
                if run.truth and len(run.truth) != val:
                    raise ValueError(f"seed {run.seed} has {len(run.truth)} images of {val}")
                if not all(type(i) is int and 0 <= i < classes for i in run.truth + run.answers):
                    raise ValueError(f"seed {run.seed} has an answer that is none of its classes")
            if len({row.name for row in rows}) < len(rows):
                raise ValueError("it has a network twice")
            _ = *map(" ".join, result.cells()), result.caption, result.footnote  # can be shown
        except (
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            ArithmeticError,
            RecursionError,
        ) as error:
            raise ValueError(
                f"{path} is no comparison that `lineage-lab compare` wrote, such as "
                f"comparison.json in its --out folder: {error}"
            ) from error
        return result


def _escaped(text: str) -> str:
    """A text from outside as Markdown shows it, and not as markup."""
    return re.sub(r"([\\`|<\[\]*])", r"\\\1", one_line(text))


def _check_data(data: Any, limit: Any) -> None:
    """Raises ValueError where a file's facts of the data are of another kind or out of range."""
    names = data.get("classes") if isinstance(data, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError("its data has no list of the classes' names")
    for key in ("train", "val"):
        if type(data.get(key)) is not int or data[key] < 1:
            raise ValueError(f"its data has {data.get(key)!r} for the number of {key} images")
    for key in ("name", "licence"):
        if not isinstance(data.get(key), str):
            raise ValueError(f"its data has {data.get(key)!r} for the {key}")
    if type(data.get("drawn_by_seed")) is not bool:
        raise ValueError(f"its data has {data.get('drawn_by_seed')!r} for drawn_by_seed")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ValueError(f"its limit is {limit!r}, which is no number of images")


def _no_number(text: str) -> float:
    raise ValueError(f"it holds {text}, which is no number of JSON")


def _budget(recipe: dict[str, Any]) -> str:
    if recipe.get("minutes") is not None:
        return f"{recipe['minutes']:g} minute(s)"
    head = recipe.get("head_epochs", 0)
    return f"{recipe['epochs']} epoch(s)" + (f" after {head} of the head alone" if head else "")


def _cells(row: Row, energy: bool, rare: int | None, metric: str) -> tuple[str, ...]:
    precision = "/".join(sorted(set(row.precision)))
    memory = "–" if row.peak_memory is None else f"{row.peak_memory / 2**30:.1f} GiB"
    joules = _spread([j / 1000 for j in row.energy], " kJ") if row.energy else "–"
    return (
        row.name,
        f"{row.input_size[-1]} px",
        _spread([100 * a for a in row.accuracies], " %"),
        *(() if rare is None else (_spread([100 * r for r in _recalls(row, rare)], " %"),)),
        *((_measured(row, metric),) if metric else ()),
        _spread(row.seconds, " s"),
        f"{mean(row.images_per_second):.1f} ({precision})",
        f"{row.parameters / 1e6:.2f} M",
        f"{row.macs / 1e9:.2f} G" if row.macs >= 1e8 else f"{row.macs / 1e6:.2f} M",
        memory,
        *((joules,) if energy else ()),
        row.weights,
    )


def _recalls(row: Row, label: int) -> list[float]:
    """Share of a class's images that each seed's network named so."""
    pairs = [
        [answer == label for truth, answer in zip(run.truth, run.answers, strict=True)
         if truth == label]
        for run in row.runs
    ]  # fmt: skip
    return [mean(map(float, found)) for found in pairs if found]


def _measured(row: Row, metric: str) -> str:
    measured, _ = pooled_interval(metric, row.answered)
    return measured.plain() if metric in LOWER_IS_BETTER else measured.percent()


def _spread(values: Sequence[float], unit: str) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}{unit}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}{unit}"


def _moments(values: Sequence[float]) -> dict[str, float | None]:
    return {"mean": mean(values), "sd": stdev(values) if len(values) > 1 else None}
