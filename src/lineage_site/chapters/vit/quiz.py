"""The quiz of the ViT chapter."""

from functools import cache

import torch
from torch import nn

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.models.vit import BASE_16, ViT
from lineage_lab.registry import create_model
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


def on_meta(name: str, side: int = 224) -> nn.Module:
    """A network without memory for its weights; ``vit`` is ViT-B/16 at any side."""
    with torch.device("meta"):
        return ViT(resolution=side) if name == "vit" else create_model(name)


@cache
def described(name: str, side: int = 224) -> Anatomy:
    """Its anatomy; the figures use it too."""
    return describe(on_meta(name, side), (3, side, side))


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the network's own."""
    vit, resnet = described("vit"), described("resnet50")
    patchify = vit.layers[0]
    dim, patch, depth = BASE_16.dim, BASE_16.patch, BASE_16.layers
    pixels = 3 * patch * patch
    tokens, larger = (224 // patch) ** 2 + 1, (384 // patch) ** 2 + 1
    pairs = 2 * depth * dim * tokens**2
    growth = [
        layer.receptive_field
        for layer in resnet.layers
        if layer.macs and layer.receptive_field and "shortcut" not in layer.name
    ]
    reach = next(i for i, field in enumerate(growth, 1) if field >= 224)
    names = "stages.0.0"
    first = max(x.receptive_field or 0 for x in resnet.layers if x.name.startswith(names))
    head = next(layer for layer in vit.layers if layer.name == "head").parameters
    return (
        Question(
            f"`patchify` is a convolution with {patchify.parameters:,} weights. Which other layer "
            "does the same?",
            (
                Choice(
                    f"A linear layer from {pixels} to {dim} numbers, applied to each patch.",
                    f"A patch has 3 · {patch} · {patch} = {pixels} numbers; the windows do not "
                    f"overlap. {pixels} · {dim} weights and {dim} biases are "
                    f"{pixels * dim + dim:,}.",
                    right=True,
                ),
                Choice(
                    f"A linear layer from the whole picture to {tokens - 1} tokens.",
                    "That one could treat each place differently. Here all patches share the same "
                    "weights.",
                ),
                Choice(
                    "A pooling layer of stride 16.",
                    "Pooling has no weights, and it would keep three channels, not make "
                    f"{dim} of them.",
                ),
            ),
        ),
        Question(
            "All position embeddings are set to zero, and the patches of a picture are shuffled. "
            "What happens to the scores?",
            (
                Choice(
                    "They become those of another class.",
                    "Nothing in the network can tell the two pictures apart, so which class should "
                    "that be?",
                ),
                Choice(
                    "They change a little, since attention weighs near patches more.",
                    "Attention compares what tokens hold. Where a token came from is written "
                    "nowhere else than in its position embedding.",
                ),
                Choice(
                    "They stay as they are.",
                    "Attention adds up over a set, and a sum has no order. The class token gathers "
                    "the same values with the same weights.",
                    right=True,
                ),
            ),
        ),
        Question(
            "The picture's side goes from 224 to 384 pixels. What happens to the multiply-adds "
            "that compare tokens with tokens?",
            (
                Choice(
                    f"They grow {384 / 224:.1f} times.",
                    f"So does the side, but tokens cover an area: {tokens} become {larger}.",
                ),
                Choice(
                    f"They grow {(larger / tokens) ** 2:.1f} times.",
                    f"{tokens} tokens become {larger}, and each is compared with each: "
                    f"({larger} / {tokens})². At 224 pixels they are only {pairs / vit.macs:.1%} "
                    "of the network, so that this is easy to miss.",
                    right=True,
                ),
                Choice(
                    f"They grow {larger / tokens:.1f} times.",
                    "That is how the linear layers grow, which take one token at a time.",
                ),
            ),
        ),
        Question(
            "After how many layers with weights can a unit depend on the whole picture of 224 "
            "pixels?",
            (
                Choice(
                    f"ViT-B/16: in its first block. ResNet-50: from layer {reach} on.",
                    "One attention connects all tokens, while windows grow layer by layer.",
                    right=True,
                ),
                Choice(
                    f"ViT-B/16: in its last block. ResNet-50: from layer {reach} on.",
                    "No block of ViT is more local than another by its build: all are equal.",
                ),
                Choice(
                    "Both: in their first block.",
                    f"ResNet-50's first block ends with a window of {first} pixels.",
                ),
            ),
        ),
        Question(
            f"One tool counts {(vit.macs - pairs) / 1e9:.2f} G for ViT-B/16, another "
            f"{vit.macs / 1e9:.2f} G, a third {vit.flops / 1e9:.1f} G. Which of them is wrong?",
            (
                Choice(
                    "The second and the third: they count the picture twice.",
                    "They count the same work. A multiply-add is two floating-point operations.",
                ),
                Choice(
                    "The third: a network can't cost twice as much.",
                    "It counts FLOPs, two for each multiply-add. It is right, if it says so.",
                ),
                Choice(
                    f"The head is missing: it has {head:,} weights.",
                    f"So it costs {head / 1e6:.1f} M multiply-adds, not {pairs / 1e6:,.0f} M.",
                ),
                Choice(
                    "The first: it misses the products of attention.",
                    f"q kᵀ and its product with v are {pairs / 1e6:,.0f} M multiply-adds in no "
                    "layer that has weights. Counters that look at layers, or that meet a fused "
                    "kernel which they do not know, leave them out.",
                    right=True,
                ),
            ),
        ),
    )
