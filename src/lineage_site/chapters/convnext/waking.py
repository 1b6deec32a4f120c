"""How a ConvNeXt's blocks wake: the layer scale and two gradients over the first steps.

``python -m lineage_site run convnext waking`` trains the chapter's small network for a few
dozen steps under AdamW and under SGD and writes ``docs/results/convnext-waking.json``; `chart`
and `numbers` show what stands there. Neither optimizer has a warm-up or weight decay, so that a
step is what the gradient and the rate make of it.
"""

from collections.abc import Callable, Sequence
from statistics import mean, stdev

import torch
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.chapters.convnext import in_colour, small_convnext
from lineage_lab.comparing.axes import COLOURS, Axes, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data import split_digits
from lineage_lab.models.convnext import ConvNeXtBlock
from lineage_site.drawing.records import machine, read, write

__all__ = ["chart", "numbers", "watched"]

STEPS, BATCH, SEEDS = 40, 64, 5
RATES = {"AdamW": 0.01, "SGD": 0.1}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "AdamW": lambda weights, lr: torch.optim.AdamW(weights, lr=lr, weight_decay=0.0),
    "SGD": lambda weights, lr: torch.optim.SGD(weights, lr=lr, momentum=0.9),
}
EPSILON = 1e-8  # AdamW's, as PyTorch sets it


def watched(name: str, *, seed: int, steps: int = STEPS) -> dict[str, list[float]]:
    """Sizes at each step, over the four blocks of the small network.

    Args:
        name: ``AdamW`` or ``SGD``.
        seed: Decides the split, the first weights and the order.
        steps: How many steps are taken.

    Returns:
        ``scale``, the mean size of the layer scales, has one value more than there are steps.
        ``scale_gradient`` and ``window_gradient`` are medians of the sizes of single gradients,
        of the layer scales and of the depthwise windows; ``window_step`` is the median distance
        that a weight of a window moved.
    """
    (images, labels), _ = split_digits(seed)
    torch.manual_seed(seed)
    model = small_convnext().train()
    blocks = [block for block in model.modules() if isinstance(block, ConvNeXtBlock)]
    scales = [block.scale for block in blocks]
    windows = [block.depthwise.weight for block in blocks]
    optimizer = OPTIMIZERS[name](model.parameters(), lr=RATES[name])
    order = torch.randperm(len(images)).split(BATCH)  # type: ignore[no-untyped-call]
    found: dict[str, list[float]] = {"scale": [_sizes(scales).mean().item()]}
    for step in range(steps):
        some = order[step]
        before = [window.detach().clone() for window in windows]
        loss = F.cross_entropy(model(in_colour(images[some])), labels[some])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        moved = [now - then for now, then in zip(windows, before, strict=True)]
        for key, value in {
            "scale": _sizes(scales).mean(),
            "scale_gradient": _sizes(_gradients(scales)).median(),
            "window_gradient": _sizes(_gradients(windows)).median(),
            "window_step": _sizes(moved).median(),
        }.items():
            found.setdefault(key, []).append(value.item())
    return found


def _gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]


def _sizes(tensors: Sequence[Tensor]) -> Tensor:
    """Absolute values of all elements, in one row."""
    return torch.cat([tensor.detach().abs().flatten() for tensor in tensors])


def run() -> None:
    """Watch both optimizers with each seed, and write what was seen."""
    runs = {
        f"{name}; seed {seed}": {
            key: [float(f"{value:.3g}") for value in values]
            for key, values in watched(name, seed=seed).items()
        }
        for seed in range(SEEDS)
        for name in OPTIMIZERS
    }
    settings = {"rates": RATES, "steps": STEPS, "batch": BATCH, "seeds": SEEDS}
    write("convnext-waking", {"settings": settings, "runs": runs})


def _rows(name: str, key: str) -> list[list[float]]:
    """One list a seed."""
    runs = read("convnext-waking")["runs"]
    return [run[key] for which, run in runs.items() if which.startswith(f"{name};")]


def _power(value: float) -> str:
    """A number as a beginner reads it, such as 3.6 · 10⁻⁵."""
    if not value:
        return "0"
    digits, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits} · 10{raised}"


def numbers() -> str:
    """The first step in numbers: gradients, and how far they move a weight."""
    found = read("convnext-waking")
    settings = found["settings"]
    lines = [
        "| | AdamW | SGD |",
        "| --- | --: | --: |",
    ]

    def both(words: str, key: str, step: int) -> None:
        cells = []
        for name in RATES:
            values = [row[step] for row in _rows(name, key)]
            around = f" (± {stdev(values) / mean(values):.0%})" if any(values) else ""
            cells.append(f"{_power(mean(values))}{around}")
        lines.append(f"| {words} | {' | '.join(cells)} |")

    lines.append("| learning rate | " + " | ".join(f"{rate:g}" for rate in RATES.values()) + " |")
    both("gradient of a layer scale, median", "scale_gradient", 0)
    both("gradient of a weight in a window, median", "window_gradient", 0)
    both("the first step moves that weight by", "window_step", 0)
    shares = (mean(row[0] for row in _rows(name, "window_step")) / rate
              for name, rate in RATES.items())  # fmt: skip
    lines.append(
        "| the same, as a share of the rate | " + " | ".join(f"{x:.1%}" for x in shares) + " |"
    )
    both("layer scale after the first step, mean", "scale", 1)
    both(f"layer scale after {settings['steps']} steps, mean", "scale", settings["steps"])
    note = (
        f"Means of {settings['seeds']} seeds, with the standard deviation in percent; batches of "
        f"{settings['batch']} digits, no warm-up, no weight decay. {machine(found)}"
    )
    return "\n".join((*lines, "", note, ""))


def chart() -> str:
    """The scales over the first steps, and the gradients beside AdamW's epsilon."""
    settings = read("convnext-waking")["settings"]
    steps = settings["steps"]
    ends = {name: mean(row[-1] for row in _rows(name, "scale")) for name in RATES}
    first = {
        key: mean(row[0] for row in _rows("AdamW", key))
        for key in ("scale_gradient", "window_gradient")
    }
    d = Drawing(
        "convnext-waking",
        width=760,
        height=330,
        title="How the blocks wake",
        description=f"Left: the mean size of the layer scales over {steps} steps, from 0.000001. "
        + "; ".join(f"with {name} it comes to {end:.2g}" for name, end in ends.items())
        + ". Right: the median gradient of a layer scale and of a weight in a depthwise window. "
        f"At the first step they are {first['scale_gradient']:.1e} and "
        f"{first['window_gradient']:.1e}; AdamW's epsilon is {EPSILON:.0e}.",
    )
    left = Axes(d, (64, 56, 366, 262), (0, steps), (5e-7, 1), ("step", "layer scale"),
                logarithmic_y=True)  # fmt: skip
    right = Axes(d, (446, 56, 748, 262), (0, steps), (1e-11, 1e-1), ("step", "gradient, median"),
                 logarithmic_y=True)  # fmt: skip
    for index, name in enumerate(RATES):
        _line(d, left, _rows(name, "scale"), index)
        _line(d, right, _rows(name, "scale_gradient"), index)
        _line(d, right, _rows(name, "window_gradient"), index)
        for words, key, down in (
            ("scale", "scale_gradient", index),
            ("window", "window_gradient", 1),
        ):
            end = mean(row[-1] for row in _rows(name, key))
            place = right.y(end) + (20 if down else -12)
            d.text(746, place, words, size=11.5, anchor="end", fill=COLOURS[index])
    d.line(446, right.y(EPSILON), 748, right.y(EPSILON), stroke="ink", dash="6 3")
    d.text(746, right.y(EPSILON) + 15, "AdamW’s ε", size=11.5, anchor="end")
    for index, (name, rate) in enumerate(RATES.items()):
        x = 64 + 150 * index
        polyline(d, [(x, 316), (x + 24, 316)], index)
        d.text(x + 31, 320, f"{name}, rate {rate:g}", size=12)
    return d.svg()


def _line(d: Drawing, axes: Axes, rows: list[list[float]], index: int) -> None:
    """The mean of the seeds, and a thin line from the lowest to the highest at each fifth step."""
    columns = list(zip(*rows, strict=True))
    polyline(d, [(axes.x(i), axes.y(mean(column))) for i, column in enumerate(columns)], index)
    for i in range(0, len(columns), 5):
        x = axes.x(i)
        d.line(x, axes.y(min(columns[i])), x, axes.y(max(columns[i])), stroke=COLOURS[index])


if __name__ == "__main__":
    run()
