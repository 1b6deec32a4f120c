"""The LeNet-5 chapter's figures and tables, drawn from the network and from a trained one."""

import torch
from torch import Tensor, nn

from lineage_lab.anatomy.network import Anatomy, Layer, describe
from lineage_lab.chapters.experiments import train_digits
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import (
    C3_TABLE,
    LeNet5,
    LeNet5Modern,
    normalize_ink,
    rbf_loss,
)
from lineage_site.drawing.chapter import fact_table, quiz

__all__ = ["draw"]

# The layers of the paper's figure, with the kind that decides their colour.
KINDS = {
    "C1": "conv",
    "S2": "pool",
    "C3": "conv",
    "S4": "pool",
    "C5": "conv",
    "F6": "dense",
    "output": "output",
}


def draw() -> dict[str, str]:
    """All of the chapter's figures; trains one network, which takes a few seconds."""
    anatomy = describe(LeNet5(), (1, 32, 32))
    model = train_digits(LeNet5, loss=rbf_loss, lr=0.005).model
    return {
        "architecture.svg": _architecture(anatomy),
        "c3.svg": _c3(),
        "codes.svg": _codes(model),
        "filters.svg": _filters(model),
        "fields.svg": _fields(anatomy),
        "facts.md": fact_table("lenet5"),
        "quiz.md": quiz("lenet5"),
        "layers.md": _layers(anatomy),
    }


def _named(anatomy: Anatomy) -> dict[str, Layer]:
    return {layer.name: layer for layer in anatomy.layers if layer.name in KINDS}


def _architecture(anatomy: Anatomy) -> str:
    """Maps as sheets: as high as the map, as many as its channels (at most 16)."""
    layers = _named(anatomy)
    connections = LeNet5().connections()
    width, height, middle = 760, 306, 128
    d = Drawing(
        "lenet-architecture",
        width=width,
        height=height,
        title="LeNet-5, layer by layer",
        description="The input of 32 by 32 pixels passes through "
        + ", ".join(
            f"{name} ({'×'.join(map(str, layer.output_shape))}, {layer.parameters:,} weights)"
            for name, layer in layers.items()
        )
        + ".",
    )
    x = 16.0
    previous: tuple[float, float, float] | None = None  # right side, top, bottom of the last sheet
    kernels = {"C1": 5, "S2": 2, "C3": 5, "S4": 2}
    shapes = [("input", "input", anatomy.input_size, 0, 0)] + [
        (name, KINDS[name], layer.output_shape, layer.parameters, connections[name])
        for name, layer in layers.items()
    ]
    for name, kind, shape, weights, links in shapes:
        flat = len(shape) == 1 or shape[-1] == 1
        side = 14.0 if flat else shape[-1] * 3.0
        tall = shape[0] * 1.25 + 10 if flat else side
        sheets = 1 if flat else shape[0]
        step = 0.0 if sheets == 1 else min(5.0, 64 / sheets)
        span = side + step * (sheets - 1)
        y = middle - (tall + step * (sheets - 1)) / 2
        if previous is not None:
            right, top, bottom = previous
            if name in kernels:  # the window that one unit looks through, and the unit
                window = kernels[name] * 3.0
                left_edge, upper = right - window - 3, bottom - window - 3
                d.rect(left_edge, upper, window, window, stroke="ink")
                for corner in (upper, upper + window):
                    d.line(right - 3, corner, x + 6, y + 6, stroke="muted", dash="2 3")
            else:  # every unit takes everything
                d.line(right, top, x, y, stroke="muted", dash="2 3")
                d.line(right, bottom, x, y + tall, stroke="muted", dash="2 3")
        for sheet in range(sheets):
            shift = sheet * step
            d.rect(
                x + shift,
                y + shift,
                side,
                tall,
                fill=f"{kind}-soft",
                stroke=kind,
                radius=1.5,
            )
        if name in kernels:
            d.circle(x + 6, y + 6, 2, fill=kind)
        centre = x + span / 2
        d.text(centre, 18, name, anchor="middle", weight=700, fill=kind)
        count = f"{shape[0]}" if flat else f"{shape[0]} @ {shape[-2]}×{shape[-1]}"
        d.text(centre, 35, count, anchor="middle", size=11.5, fill="muted")
        if weights or links:
            d.text(centre, 266, f"{weights:,}", anchor="middle", size=11.5)
            d.text(centre, 288, f"{links:,}", anchor="middle", size=11.5)
        last = step * (sheets - 1)
        previous = (x + span, y + last, y + last + tall)
        x += span + (38 if flat else 34)
    d.line(8, 248, width - 8, 248)
    d.text(16, 266, "weights", size=11.5, fill="muted")
    d.text(16, 288, "connections", size=11.5, fill="muted")
    return d.svg()


def _c3() -> str:
    """Table I as a grid: a disc where a map of C3 looks at a map of S2."""
    cell, left, top = 34, 74, 52
    d = Drawing(
        "lenet-c3",
        width=left + 16 * cell + 16,
        height=top + 6 * cell + 34,
        title="Which maps of S2 each map of C3 looks at",
        description="Sixteen columns, one for each map of C3; six rows, one for each map of S2. "
        + "; ".join(
            f"C3 map {i} looks at {', '.join(map(str, row))}" for i, row in enumerate(C3_TABLE)
        )
        + ".",
    )
    groups = (
        (0, 6, "three neighbours"),
        (6, 12, "four neighbours"),
        (12, 15, "four, apart"),
        (15, 16, "all"),
    )
    for start, stop, words in groups:
        x1, x2 = left + start * cell + 4, left + stop * cell - 4
        d.line(x1, 24, x2, 24, stroke="conv", stroke_width=2)
        d.text((x1 + x2) / 2, 16, words, anchor="middle", size=12, fill="muted")
    for column, row in enumerate(C3_TABLE):
        x = left + (column + 0.5) * cell
        d.text(x, 44, str(column), anchor="middle", size=12)
        d.text(x, top + 6 * cell + 22, str(len(row)), anchor="middle", size=12, fill="muted")
        for source in range(6):
            y = top + (source + 0.5) * cell
            if source in row:
                d.circle(x, y, 10, fill="conv")
            else:
                d.circle(x, y, 2.5, fill="line")
    for source in range(6):
        d.text(left - 14, top + (source + 0.5) * cell + 4, f"S2 · {source}", anchor="end", size=12)
    d.text(left - 14, 44, "C3", anchor="end", size=12, weight=700)
    d.text(left - 14, top + 6 * cell + 22, "inputs", anchor="end", size=12, fill="muted")
    return d.svg()


def _one_of_each() -> Tensor:
    """The first held-out digit of each class, ``uint8 [10, 1, 32, 32]``."""
    _, (images, labels) = split_digits(0)
    return torch.stack([images[labels == digit][0] for digit in range(10)])


def _codes(model: nn.Module) -> str:
    """The ten codes; beneath, one digit of each class and what F6 makes of it."""
    assert isinstance(model, LeNet5)
    digits = _one_of_each()
    answers: list[Tensor] = []
    hook = model.output.register_forward_pre_hook(lambda _, inputs: answers.append(inputs[0]))
    with torch.no_grad():
        scores = model(normalize_ink(digits))
    hook.remove()
    wrong = [str(i) for i, answer in enumerate(scores.argmax(1).tolist()) if answer != i]
    left, step, cell = 92, 64, 6
    d = Drawing(
        "lenet-codes",
        width=left + 10 * step,
        height=292,
        title="The ten codes, and what the trained network gives",
        description="Three rows of ten. First the fixed 7 by 12 codes of the digits 0 to 9. Then "
        "one handwritten digit of each class that the network was not trained on. Then the 84 "
        "values of F6 for that digit, drawn 7 by 12: they resemble the code"
        + (f", but for {', '.join(wrong)}, named wrongly." if wrong else " in each case."),
    )
    for line, words in (
        (48, "code"),
        (64, "(fixed)"),
        (146, "digit"),
        (222, "F6’s"),
        (238, "answer"),
    ):
        d.text(left - 14, line, words, anchor="end", size=12, fill="muted")
    for digit in range(10):
        x = left + digit * step
        code = model.output.codes[digit].view(12, 7)
        d.text(x + 21, 16, str(digit), anchor="middle", weight=700)
        d.picture(x, 26, cell, ((code + 1) / 2).tolist(), ink="output")
        d.picture(x - 3, 118, 1.5, (digits[digit, 0] / 255).tolist())
        answer = answers[0][digit].view(12, 7).clamp(-1, 1)
        d.picture(x, 190, cell, ((answer + 1) / 2).tolist(), ink="dense")
        distance = -scores[digit].max().item()
        d.text(x + 21, 282, f"{distance:.1f}", anchor="middle", size=12)
    d.text(left - 14, 282, "distance", anchor="end", size=12, fill="muted")
    return d.svg()


def _filters(model: nn.Module) -> str:
    """C1's six filters after training, and what each makes of one digit."""
    assert isinstance(model, LeNet5)
    digit = _one_of_each()[3:4]
    with torch.no_grad():
        maps = model.squash(model.C1(normalize_ink(digit)))[0]
    filters = model.C1.weight.detach()[:, 0]
    left, step = 132, 104
    d = Drawing(
        "lenet-filters",
        width=left + 6 * step,
        height=222,
        title="What C1 learnt",
        description="Six filters of 5 by 5 weights, and beneath each the map of 28 by 28 that it "
        "makes of a handwritten 3. Two colours tell positive from negative weights. Most "
        "filters answer to an edge or a stroke of one direction.",
    )
    d.picture(8, 118, 2.75, (digit[0, 0] / 255).tolist())
    d.text(52, 110, "input", anchor="middle", size=12, fill="muted")
    d.rect(8, 20, 12, 12, fill="conv")
    d.text(26, 31, "positive", size=12, fill="muted")
    d.rect(8, 42, 12, 12, fill="output")
    d.text(26, 53, "negative", size=12, fill="muted")
    for index in range(6):
        x = left + index * step
        weights = filters[index] / filters[index].abs().max()
        d.picture(x, 8, 16.8, weights.clamp(min=0).tolist(), ink="conv", frame="none")
        d.picture(x, 8, 16.8, (-weights).clamp(min=0).tolist(), ink="output")
        values = maps[index] / 1.7159
        d.picture(x, 118, 3, values.clamp(min=0).tolist(), ink="conv", frame="none")
        d.picture(x, 118, 3, (-values).clamp(min=0).tolist(), ink="output")
        d.text(x + 42, 217, f"map {index}", anchor="middle", size=12, fill="muted")
    return d.svg()


def _fields(anatomy: Anatomy) -> str:
    """What one unit of each layer sees of the digit."""
    layers = [(n, layer) for n, layer in _named(anatomy).items() if layer.receptive_field]
    digit = (_one_of_each()[5, 0] / 255).tolist()
    cell, gap = 4.0, 20.0
    side = 32 * cell
    d = Drawing(
        "lenet-fields",
        width=len(layers) * (side + gap) - gap + 16,
        height=side + 62,
        title="The receptive field grows from layer to layer",
        description="The same handwritten 5 for each layer, with the square that one unit of the "
        "layer sees: "
        + ", ".join(
            f"{n} {layer.receptive_field} by {layer.receptive_field}" for n, layer in layers
        )
        + " pixels.",
    )
    for index, (name, layer) in enumerate(layers):
        x, y = 8 + index * (side + gap), 26
        size, stride = layer.receptive_field or 0, layer.stride or 1
        d.text(x + side / 2, 17, name, anchor="middle", weight=700, fill=KINDS[name])
        d.picture(x, y, cell, digit)
        start = (layer.output_shape[-1] // 2) * stride * cell
        d.rect(
            x + start,
            y + start,
            size * cell,
            size * cell,
            fill="none",
            stroke=KINDS[name],
            stroke_width=3,
        )
        d.text(x + side / 2, y + side + 20, f"{size} × {size}", anchor="middle")
    return d.svg()


def _layers(anatomy: Anatomy) -> str:
    """The paper's network beside the look-alike: weights, connections, field."""
    modern = {layer.name: layer for layer in describe(LeNet5Modern(), (1, 32, 32)).layers}
    connections = LeNet5().connections()
    lines = [
        "| layer | output | weights | connections | sees | weights in `lenet5_modern` |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for name, layer in _named(anatomy).items():
        shape = "×".join(map(str, layer.output_shape))
        field = (
            f"{layer.receptive_field}×{layer.receptive_field}" if layer.receptive_field else "all"
        )
        other = f"{modern[name].parameters:,}" if name in modern else "0"
        cells = (name, shape, f"{layer.parameters:,}", f"{connections[name]:,}", field, other)
        lines.append(f"| {' | '.join(cells)} |")
    total = sum(layer.parameters for layer in modern.values())
    lines.append(
        f"| **total** | | **{anatomy.parameters:,}** | **{sum(connections.values()):,}** | "
        f"| **{total:,}** |"
    )
    return "\n".join((*lines, ""))
