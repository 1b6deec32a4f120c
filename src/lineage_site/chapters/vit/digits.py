"""The ViT chapter's pictures of trained networks: shuffled patches, and what attention looks at."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.chapters.experiments import train_digits
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import normalize_ink
from lineage_lab.models.vit import EncoderBlock, ViT
from lineage_site.chapters.vit.runs import PATCH, SIDE, small_vit

__all__ = ["pictures"]

CELLS = SIDE // PATCH


def pictures() -> dict[str, str]:
    """Both pictures, from one network with positions and one without, trained with seed 0."""
    seeing = train_digits(small_vit, lr=0.02, epochs=3, prepare=_three).model
    blind = train_digits(_blind, lr=0.02, epochs=3, prepare=_three).model
    assert isinstance(seeing, ViT)
    assert isinstance(blind, ViT)
    return {"shuffled.svg": _shuffled(seeing, blind), "attention.svg": _attention(seeing)}


def _blind() -> ViT:
    model = small_vit()
    model.position.requires_grad_(False).zero_()
    return model


def _three(images: Tensor) -> Tensor:
    return normalize_ink(images).expand(-1, 3, -1, -1)


def _right(model: ViT, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        right: Tensor = model(_three(images)).argmax(dim=1) == labels
    return right


def _fooled(seeing: ViT, blind: ViT) -> tuple[Tensor, int]:
    """The first held-out digit that both read in order, and shuffled only the second."""
    _, (images, labels) = split_digits(seed=0)
    mixed = _order(images)
    chosen = _right(seeing, images, labels) & _right(blind, images, labels)
    index = int((chosen & ~_right(seeing, mixed, labels)).nonzero()[0])
    return images[index : index + 1], int(labels[index])


def _order(images: Tensor) -> Tensor:
    parts = F.unfold(images.float(), PATCH, stride=PATCH)
    order = torch.randperm(CELLS**2, generator=torch.Generator().manual_seed(1998))
    return F.fold(parts[:, :, order], SIDE, PATCH, stride=PATCH).to(torch.uint8)


def _shuffled(seeing: ViT, blind: ViT) -> str:
    """A digit in order and with its patches shuffled, and what both networks say."""
    digit, right = _fooled(seeing, blind)
    mixed = _order(digit)
    with torch.no_grad():
        scores = {
            (who, how): model(_three(images)).softmax(dim=1)[0]
            for who, model in (("with", seeing), ("without", blind))
            for how, images in (("in order", digit), ("shuffled", mixed))
        }
    said = {key: f"{int(p.argmax())} ({p.max():.0%})" for key, p in scores.items()}
    d = Drawing(
        "vit-shuffled",
        width=740,
        height=392,
        title="The same patches in another order",
        description=f"A handwritten {right} in order and with its 16 patches shuffled, and the "
        "probabilities of the ten classes. With positions, the network says "
        f"{said['with', 'in order']} for the digit in order and {said['with', 'shuffled']} for the "
        f"shuffled one. Without positions it says {said['without', 'in order']} for both: its bars "
        "are the same.",
    )
    for column, words in ((0, "with positions"), (1, "without positions")):
        d.text(
            330 + 270 * column,
            20,
            words,
            anchor="middle",
            weight=650,
            fill="conv" if column == 0 else "output",
        )
    for line, (how, images) in enumerate((("in order", digit), ("shuffled", mixed))):
        y = 36 + 180 * line
        cell = 4.25
        d.text(12, y + 12, how, weight=650)
        d.picture(12, y + 20, cell, (images[0, 0] / 255).tolist())
        for index in range(1, CELLS):
            at = index * PATCH * cell
            d.line(12 + at, y + 20, 12 + at, y + 20 + SIDE * cell, stroke="muted", dash="3 3")
            d.line(12, y + 20 + at, 12 + SIDE * cell, y + 20 + at, stroke="muted", dash="3 3")
        for column, who in enumerate(("with", "without")):
            left, bottom = 220 + 270 * column, y + 136
            kind = "conv" if column == 0 else "output"
            d.line(left, bottom, left + 220, bottom, stroke="muted")
            for label, share in enumerate(scores[who, how].tolist()):
                height = 100 * share
                d.rect(
                    left + 22 * label + 3,
                    bottom - height,
                    16,
                    height,
                    fill=kind if label == right else f"{kind}-soft",
                    stroke=kind,
                )
                d.text(
                    left + 22 * label + 11,
                    bottom + 16,
                    str(label),
                    anchor="middle",
                    size=12,
                    fill="muted",
                )
            d.text(left + 110, y + 14, f"says {said[who, how]}", anchor="middle", size=12.5)
    return d.svg()


def _weights(model: ViT, images: Tensor) -> Tensor:
    """What the class token gathers from each patch in the first block: [digits, heads, patches]."""
    seen: list[Tensor] = []
    block = model.blocks[0]
    assert isinstance(block, EncoderBlock)
    attention = block.attention
    hook = attention.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(_three(images))
        hook.remove()
        x = seen[0]
        qkv = F.linear(x, attention.qkv_weight, attention.qkv_bias)
        query, key, _ = qkv.view(*x.shape[:2], 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
        likeness = query[:, :, :1] @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        shares: Tensor = likeness.softmax(dim=-1)[:, :, 0, 1:]
    return shares


def _attention(model: ViT) -> str:
    """Digits, and where the class token of the first block looks in each head."""
    wanted = (0, 1, 4, 7, 8)
    _, (images, labels) = split_digits(seed=0)
    right = _right(model, images, labels)
    digits = torch.stack([images[(labels == c) & right][0] for c in wanted])
    weights = _weights(model, digits)
    heads = weights.shape[1]
    cell, step = 3.4, 128
    size = SIDE * cell
    d = Drawing(
        "vit-attention",
        width=96 + step * len(wanted),
        height=34 + (size + 14) * (heads + 1),
        title="Where the class token looks",
        description=f"Handwritten digits, and below each one map for each of the {heads} heads of "
        "the first block: the darker a patch, the more the class token gathers from it. "
        + " ".join(
            f"For the {label}, the heads give their darkest patch "
            + ", ".join(f"{w.max():.0%}" for w in weights[i])
            + " of the weight."
            for i, label in enumerate(wanted)
        ),
    )
    d.text(8, 34 + size / 2, "digit", weight=650)
    for head in range(heads):
        d.text(
            8,
            34 + (size + 14) * (head + 1) + size / 2,
            f"head {head + 1}",
            weight=650,
            fill="output",
        )
    for index in range(len(wanted)):
        x = 84 + step * index
        levels = (digits[index, 0] / 255).tolist()
        d.picture(x, 20, cell, levels)
        for head in range(heads):
            y = 20 + (size + 14) * (head + 1)
            share = weights[index, head].view(CELLS, CELLS)
            d.picture(x, y, cell * PATCH, (share / weights[index].max()).tolist(), ink="output")
            d.picture(x, y, cell, [[0.55 * v for v in row] for row in levels], frame="none")
    return d.svg()
