"""The ViT chapter's figures and tables, drawn from the network."""

from lineage_lab.anatomy.network import Anatomy, Layer
from lineage_lab.chapters.photos import middle_square, sample
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.vit import BASE_16
from lineage_lab.weights.published import WEIGHTS
from lineage_site.chapters.vit import charts as vit_charts
from lineage_site.chapters.vit import digits as vit_digits
from lineage_site.chapters.vit.quiz import described
from lineage_site.drawing.chapter import fact_table, quiz
from lineage_site.drawing.records import read

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """All of the chapter's figures; trains two small networks, which takes a few seconds."""
    anatomy = described("vit")
    larger = described("vit", 384)
    results = read("vit")
    return {
        "architecture.svg": _architecture(anatomy),
        "block.svg": _block(anatomy),
        "facts.md": fact_table("vit"),
        "quiz.md": quiz("vit"),
        "parts.md": _parts(anatomy, larger),
        "weights.md": _weights(),
        "shuffles.md": vit_charts.shuffles(results),
        "source.md": vit_charts.source(results),
        "depth.svg": vit_charts.depth(),
        "fields.svg": vit_charts.fields(),
        "cost.svg": vit_charts.cost(),
        "data.svg": vit_charts.data(results),
        **vit_digits.pictures(),
    }


def _sums(anatomy: Anatomy) -> dict[str, tuple[int, int]]:
    """Parameters and MACs of each part. What stands in no layer is the network's own."""
    tokens = (anatomy.input_size[-1] // BASE_16.patch) ** 2 + 1
    sums: dict[str, list[int]] = {}

    def add(part: str, parameters: int, macs: int) -> None:
        entry = sums.setdefault(part, [0, 0])
        entry[0] += parameters
        entry[1] += macs

    for layer in anatomy.layers:
        if layer.name == "patchify":
            add("patchify", layer.parameters, layer.macs)
        elif layer.name.endswith(".attention"):
            linear = tokens * layer.parameters - tokens * 3 * BASE_16.dim  # without the biases
            add("queries, keys, values", layer.parameters, linear)
            add("attention: q kᵀ and its product with v", 0, layer.macs - linear)
        elif layer.name.endswith(".project"):
            add("projection", layer.parameters, layer.macs)
        elif ".mlp." in layer.name:
            add("MLP", layer.parameters, layer.macs)
        elif layer.name == "head":
            add("head", layer.parameters, layer.macs)
        elif layer.name != "ViT":
            add("norms", layer.parameters, layer.macs)
    rest = anatomy.parameters - sum(p for p, _ in sums.values())
    add("positions and class token", rest, 0)
    assert sum(m for _, m in sums.values()) == anatomy.macs
    return {part: (p, m) for part, (p, m) in sums.items()}


ORDER = (
    "patchify",
    "positions and class token",
    "queries, keys, values",
    "attention: q kᵀ and its product with v",
    "projection",
    "MLP",
    "norms",
    "head",
)


def _parts(anatomy: Anatomy, larger: Anatomy) -> str:
    """What each part holds and costs, at 224 and at 384 pixels."""
    small, large = _sums(anatomy), _sums(larger)
    lines = [
        "| part | weights | MACs at 224 | share | MACs at 384 | share |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for part in ORDER:
        weights, macs = small[part]
        other = large[part][1]
        counts = f"{weights:,}" if weights == large[part][0] else f"{weights:,} (at 224)"
        lines.append(
            f"| {part} | {counts} | {macs / 1e6:,.0f} M | {macs / anatomy.macs:.1%} | "
            f"{other / 1e6:,.0f} M | {other / larger.macs:.1%} |"
        )
    lines.append(
        f"| **all** | **{anatomy.parameters:,}** | **{anatomy.macs / 1e6:,.0f} M** | | "
        f"**{larger.macs / 1e6:,.0f} M** | |"
    )
    return "\n".join((*lines, ""))


def _weights() -> str:
    """The published weights of ViT-B/16, each file once, with its licence."""
    entries = {e.filename: e for e in reversed(WEIGHTS) if e.model.startswith("vit_b_16")}
    lines = ["| weights | side | top-1 on ImageNet | licence |", "| --- | --: | --: | --- |"]
    lines += [
        f"| {e.name} | {e.crop} | {e.top1:.3f} % | {e.licence} |"
        for e in reversed(entries.values())
    ]
    return "\n".join((*lines, ""))


def _layer(anatomy: Anatomy, name: str) -> Layer:
    return next(layer for layer in anatomy.layers if layer.name == name)


def _architecture(anatomy: Anatomy) -> str:
    """The paper's Fig. 1 from left to right: patches, tokens, blocks, the class token's scores."""
    sums = _sums(anatomy)
    side = anatomy.input_size[-1] // BASE_16.patch
    patches, depth = side * side, BASE_16.layers
    block = sum(layer.parameters for layer in anatomy.layers if layer.name.startswith("blocks.0."))
    d = Drawing(
        "vit-architecture",
        width=760,
        height=300,
        title="ViT-B/16, from the picture to the scores",
        description=f"A photograph is cut into {side} by {side} patches. One convolution turns "
        f"each of the {patches} into a token of {BASE_16.dim} numbers; a class token is put in "
        f"front, and to each its position is added. The {patches + 1} tokens pass {depth} equal "
        "blocks. From the class token alone, a norm and a linear layer make 1,000 scores.",
    )
    top, size = 52, 182
    d.text(
        12 + size / 2,
        22,
        f"{anatomy.input_size[-1]} × {anatomy.input_size[-1]} pixels",
        anchor="middle",
        weight=650,
    )
    d.photo(12, top, size, middle_square(sample("china.jpg")).resize((224, 224)))
    cell = size / side
    for index in range(side + 1):
        d.line(
            12 + index * cell, top, 12 + index * cell, top + size, stroke="paper", stroke_width=1
        )
        d.line(
            12, top + index * cell, 12 + size, top + index * cell, stroke="paper", stroke_width=1
        )
    row, column = 6, side - 2
    x, y = 12 + column * cell, top + row * cell
    d.rect(x, y, cell, cell, stroke="conv", stroke_width=3)
    d.box(226, top + 40, 92, size - 80, ("patchify", "16 × 16,", "stride 16"), "conv")
    d.arrow([(x + cell, y + cell / 2), (226, y + cell / 2)], stroke="conv")
    # tokens: the class token, then the first and the last patches
    left, thick, gap = 352, 11, 4.5
    rows = 11
    for index in range(rows):
        level = top + 10 + index * (thick + gap)
        kind = "output" if index == 0 else "conv"
        if index == rows - 2:
            d.text(left + 34, level + 9, "…", anchor="middle", fill="muted")
            continue
        d.rect(left, level, 68, thick, fill=f"{kind}-soft", stroke=kind, radius=2)
    middle = top + size / 2
    d.arrow([(318, middle), (left - 3, middle)], stroke="conv")
    d.text(left + 34, 22, f"{patches} + 1 tokens", anchor="middle", weight=650)
    d.text(left + 34, 40, f"of {BASE_16.dim} numbers", anchor="middle", size=12, fill="muted")
    d.arrow([(left + 72, middle), (left + 100, middle)])
    # the blocks, one sheet each
    first = 456
    for index in range(depth):
        d.rect(
            first + 6 * index,
            top + 2 + 2 * index,
            78,
            size - 30,
            fill="dense-soft",
            stroke="dense",
            radius=4,
        )
    face = first + 6 * (depth - 1)
    d.text(face + 39, middle + 2, "block", anchor="middle", weight=650)
    d.text(face + 39, middle + 20, f"× {depth}", anchor="middle", size=12, fill="muted")
    d.text((first + face + 78) / 2, 22, f"{depth} encoder blocks", anchor="middle", weight=650)
    d.text(
        (first + face + 78) / 2, 40, "each token sees all", anchor="middle", size=12, fill="muted"
    )
    end, level = face + 78, top + 70
    d.arrow([(end, level), (end + 32, level)], stroke="output")
    d.box(end + 32, level - 48, 104, 96, ("norm, head", "class token", "alone"), "output")
    d.text(end + 84, 22, "1,000 scores", anchor="middle", weight=650)
    foot = 262
    d.line(8, foot - 14, 752, foot - 14)
    d.text(12, foot + 4, "weights", size=12, fill="muted")
    d.text(272, foot + 4, f"{sums['patchify'][0]:,}", anchor="middle", size=12)
    d.text(
        left + 34, foot + 4, f"{sums['positions and class token'][0]:,}", anchor="middle", size=12
    )
    d.text(left + 34, foot + 22, "positions, class token", anchor="middle", size=12, fill="muted")
    d.text((first + face + 78) / 2 + 10, foot + 4, f"{depth} × {block:,}", anchor="middle", size=12)
    d.text(end + 84, foot + 4, f"{_layer(anatomy, 'head').parameters:,}", anchor="middle", size=12)
    return d.svg()


def _block(anatomy: Anatomy) -> str:
    """An encoder block, and its attention opened; shapes are those of one image."""
    tokens = _layer(anatomy, "blocks.0.norm_1").output_shape[0]
    dim, heads, wide = BASE_16.dim, BASE_16.heads, BASE_16.mlp_dim
    each = dim // heads
    d = Drawing(
        "vit-block",
        width=760,
        height=392,
        title="An encoder block and its attention",
        description="Above, the block: a layer norm, attention, and the block's input added; then "
        f"a layer norm, an MLP from {dim} to {wide} and back, and its input added. Below, the "
        f"attention of {heads} heads: from each token a query, a key and a value of {each} numbers "
        f"a head; queries times keys, divided by the root of {each}, give {tokens} by {tokens} "
        "numbers; a softmax makes of each row shares that add up to 1; the values are added up by "
        "them, the heads are laid side by side and projected.",
    )
    middle = 92
    d.text(12, middle + 4, "x", weight=650)
    d.text(12, middle + 48, f"{tokens} × {dim}", size=12, fill="muted")
    boxes = (
        (72, 76, ("norm_1",), "norm"),
        (172, 108, ("attention", "tokens mix"), "output"),
        (386, 76, ("norm_2",), "norm"),
        (486, 134, ("mlp", f"{dim} → {wide:,} → {dim}", "each token alone"), "dense"),
    )
    for x, width, words, kind in boxes:
        d.box(x, middle - 30, width, 60, words, kind)
    plus = (320, 662)
    for x in plus:
        d.circle(x, middle, 11, fill="paper", stroke="ink")
        d.text(x, middle + 5, "+", anchor="middle", weight=650)
    for start, stop in (
        (26, 72),
        (148, 172),
        (280, 309),
        (331, 386),
        (462, 486),
        (620, 651),
        (673, 712),
    ):
        d.arrow([(start, middle), (stop, middle)])
    d.text(718, middle + 4, "x", weight=650)
    for start, stop in ((46, plus[0]), (352, plus[1])):
        d.circle(start, middle, 2.5, fill="muted")
        d.arrow([(start, middle), (start, 30), (stop, 30), (stop, middle - 11)])
    d.text(183, 22, "unchanged", anchor="middle", size=12, fill="muted")
    d.text(507, 22, "unchanged", anchor="middle", size=12, fill="muted")
    # attention, opened
    frame = (12, 160, 748, 382)
    d.rect(
        frame[0],
        frame[1],
        frame[2] - frame[0],
        frame[3] - frame[1],
        stroke="output",
        radius=6,
        dash="5 4",
    )
    for x, y in ((172, frame[1]), (280, frame[1])):
        d.line(x, middle + 30, x, y, stroke="output", dash="2 3")
    d.text(24, frame[1] + 24, f"attention, {heads} heads side by side", weight=650, fill="output")
    low = 290
    d.arrow([(20, low), (40, low)])
    d.box(40, low - 36, 100, 72, ("qkv_weight", f"{dim} → 3 · {dim}", "one linear layer"), "dense")
    names = (("query", -58), ("key", 0), ("value", 58))
    for name, shift in names:
        d.box(176, low + shift - 24, 92, 48, (name, f"{tokens} × {each}"), "dense")
        d.arrow([(140, low), (158, low), (158, low + shift), (176, low + shift)])
    d.box(300, low - 62, 104, 66, ("q kᵀ / √d", f"{tokens} × {tokens}", "likeness"), "output")
    d.arrow([(268, low - 58), (288, low - 58), (288, low - 40), (300, low - 40)])
    d.arrow([(268, low), (288, low), (288, low - 18), (300, low - 18)])
    d.box(424, low - 62, 92, 66, ("softmax", "each row", "adds up to 1"), "act")
    d.arrow([(404, low - 29), (424, low - 29)])
    d.box(544, low - 36, 92, 72, ("shares · v", f"{tokens} × {each}", "gathered"), "output")
    d.arrow([(516, low - 29), (530, low - 29), (530, low - 14), (544, low - 14)])
    d.arrow([(268, low + 58), (530, low + 58), (530, low + 16), (544, low + 16)])
    d.box(656, low - 36, 72, 72, ("project", f"{heads} · {each}", f"→ {dim}"), "dense")
    d.arrow([(636, low), (656, low)])
    d.arrow([(728, low), (745, low)])
    return d.svg()
