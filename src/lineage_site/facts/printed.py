"""What the papers print of networks that this package builds, and where ours differ, why.

The tests hold each row to the network itself. Standard library only.
"""

from dataclasses import dataclass

from lineage_lab.chapters.lineage import TOP1

__all__ = [
    "CONVNEXT_ROAD",
    "PRINTED",
    "RESNET50_WEIGHTS",
    "Printed",
    "RoadStep",
    "accuracy",
    "error",
    "printed",
]


@dataclass(frozen=True, slots=True)
class Printed:
    """A number that a paper prints of a network that this package builds.

    Attributes:
        model: The registry's name of the network.
        quantity: ``parameters``, ``macs`` (which most of these papers call FLOPs) or
            ``activations`` (units).
        value: What is printed, with its decimals.
        unit: What the printed value counts: 1e6 for millions.
        source: Paper and table.
        cause: Why the network's own number, rounded, is another; empty where it is the same.
            It begins with "not known" where no explanation fits, and then says what was tried.
        side: Of the image in pixels, where it is not the network's own.
    """

    model: str
    quantity: str
    value: str
    unit: float
    source: str
    cause: str = ""
    side: int | None = None


_LESS = (
    "not known: {ours} with the coefficients that the authors published, and the paper prints "
    "less, so that nothing that was counted besides can explain it. {side}. Counting other "
    "operations, or leaving out one or two kinds of layer, fits no more than six of the table's "
    "eight rows"
)

PRINTED: tuple[Printed, ...] = (
    Printed("lenet5", "parameters", "60000", 1, "LeCun 1998, section II.B"),
    Printed(
        "alexnet_paper", "parameters", "60", 1e6, "Krizhevsky 2012, abstract",
        "60.97 million: a round number, not rounded",
    ),
    Printed(
        "alexnet_paper", "activations", "650", 1e3, "Krizhevsky 2012, abstract",
        "659,272. Section 3.5 lists 253,440 units in the first layer, which is 55 · 48 · 96, where "
        "the layer has 55 · 55 · 96 = 290,400; the other layers are listed as they are",
    ),
    Printed("vgg11", "parameters", "133", 1e6, "Simonyan 2014, Table 2, column A"),
    Printed("vgg13", "parameters", "133", 1e6, "Simonyan 2014, Table 2, column B"),
    Printed("vgg16c", "parameters", "134", 1e6, "Simonyan 2014, Table 2, column C"),
    Printed("vgg16", "parameters", "138", 1e6, "Simonyan 2014, Table 2, column D"),
    Printed("vgg19", "parameters", "144", 1e6, "Simonyan 2014, Table 2, column E"),
    Printed(
        "googlenet_paper", "macs", "1.5", 1e9, "Szegedy 2014, section 1",
        "Table 1 prints 2.7 K weights and 34 M operations for the first 7×7 convolution, which "
        "has 9,408 and 118 M. A depthwise 7×7 with multiplier 8 and a 1×1 behind it (our "
        "reading: the authors' later code has such a stem) gives 2,712 and 34.0 M, and the whole "
        "network 1.499 G. The table's other operations are ours within a million, but for module "
        "5a: 54 M are printed, its six convolutions have 51 M",
    ),
    Printed("resnet18", "macs", "1.8", 1e9, "He 2015, Table 1"),
    Printed(
        "resnet34", "macs", "3.6", 1e9, "He 2015, Table 1",
        "3.66 with the projections of shortcut B; 3.64, which rounds to 3.6, without them "
        "(shortcut A, as in Table 2)",
    ),
    Printed("plain34", "macs", "3.6", 1e9, "He 2015, Fig. 3"),
    Printed(
        "resnet50_paper", "macs", "3.8", 1e9, "He 2015, Table 1",
        "3.858, cut off: it rounds to 3.9. (The table's other rows are rounded: 101 layers have "
        "7.570 and 7.6 is printed.)",
    ),
    Printed(
        "resnet50", "macs", "3.8", 1e9, "He 2015, Table 1",
        "v1.5 strides in the 3×3, so that the first 1×1 runs on the larger map: 4.09",
    ),
    Printed("resnet101_paper", "macs", "7.6", 1e9, "He 2015, Table 1"),
    Printed("resnet152_paper", "macs", "11.3", 1e9, "He 2015, Table 1"),
    Printed("vgg19", "macs", "19.6", 1e9, "He 2015, Table 1 and Fig. 3"),
    Printed("resnet20_cifar", "parameters", "0.27", 1e6, "He 2015, Table 6"),
    Printed("resnet32_cifar", "parameters", "0.46", 1e6, "He 2015, Table 6"),
    Printed("resnet44_cifar", "parameters", "0.66", 1e6, "He 2015, Table 6"),
    Printed("resnet56_cifar", "parameters", "0.85", 1e6, "He 2015, Table 6"),
    Printed("resnet110_cifar", "parameters", "1.7", 1e6, "He 2015, Table 6"),
    Printed("resnet1202_cifar", "parameters", "19.4", 1e6, "He 2015, Table 6"),
    Printed("efficientnet_b0", "parameters", "5.3", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b1", "parameters", "7.8", 1e6, "Tan 2019, Table 2"),
    Printed(
        "efficientnet_b2", "parameters", "9.2", 1e6, "Tan 2019, Table 2",
        "not known: 9.11 trained. The batch norms' running means and variances would make 9.18, "
        "but also B1's 7.8 a 7.9 and B7's 66 a 67",
    ),
    Printed("efficientnet_b3", "parameters", "12", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b4", "parameters", "19", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b5", "parameters", "30", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b6", "parameters", "43", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b7", "parameters", "66", 1e6, "Tan 2019, Table 2"),
    Printed("efficientnet_b0", "macs", "0.39", 1e9, "Tan 2019, Table 2"),
    Printed(
        "efficientnet_b1", "macs", "0.70", 1e9, "Tan 2019, Table 2",
        "0.687. One operation, half a MAC, for each element that a batch norm or a swish puts out "
        "makes 0.697, and leaves B0, B2, B3 and B6 as printed (our reading)",
    ),
    Printed("efficientnet_b2", "macs", "1.0", 1e9, "Tan 2019, Table 2"),
    Printed("efficientnet_b3", "macs", "1.8", 1e9, "Tan 2019, Table 2"),
    Printed(
        "efficientnet_b4", "macs", "4.2", 1e9, "Tan 2019, Table 2",
        _LESS.format(ours="4.39", side="A side of 361 to 368 pixels in place of 380 would fit"),
    ),
    Printed(
        "efficientnet_b5", "macs", "9.9", 1e9, "Tan 2019, Table 2",
        _LESS.format(ours="10.27", side="No side fits: 9.40 at 448 pixels, 10.23 at 449"),
    ),
    Printed("efficientnet_b6", "macs", "19", 1e9, "Tan 2019, Table 2"),
    Printed(
        "efficientnet_b7", "macs", "37", 1e9, "Tan 2019, Table 2",
        _LESS.format(ours="37.75", side="A side of 581 to 592 pixels in place of 600 would fit"),
    ),
    Printed("convnext_tiny", "parameters", "29", 1e6, "Liu 2022, Table 1"),
    Printed("convnext_small", "parameters", "50", 1e6, "Liu 2022, Table 1"),
    Printed("convnext_base", "parameters", "89", 1e6, "Liu 2022, Table 1"),
    Printed("convnext_large", "parameters", "198", 1e6, "Liu 2022, Table 1"),
    Printed("convnext_tiny", "macs", "4.5", 1e9, "Liu 2022, Table 1"),
    Printed("convnext_small", "macs", "8.7", 1e9, "Liu 2022, Table 1"),
    Printed("convnext_base", "macs", "15.4", 1e9, "Liu 2022, Table 1"),
    Printed("convnext_large", "macs", "34.4", 1e9, "Liu 2022, Table 1"),
    Printed(
        "convnext_base", "macs", "45.0", 1e9, "Liu 2022, Table 12",
        "not known: 45.12, while the same table's 101.0 for the large one is 100.98",
        side=384,
    ),
    Printed("convnext_large", "macs", "101.0", 1e9, "Liu 2022, Table 12", side=384),
    Printed("convnext_tiny", "parameters", "28.6", 1e6, "Liu 2022, Table 9"),
    Printed("resnet50", "parameters", "25.6", 1e6, "Liu 2022, Table 9"),
    Printed("resnet50", "macs", "4.1", 1e9, "Liu 2022, Table 9"),
    Printed(
        "vit_b_16", "parameters", "86", 1e6, "Dosovitskiy 2020, Table 1",
        "86.57 with the head of 1,000 classes; 85.80 without it",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoadStep:
    """A step from ResNet-50 to ConvNeXt-T, as the paper reports it.

    Attributes:
        key: The row of `lineage_lab.models.convnext_steps.ROAD`.
        change: What is changed, in a few words.
        gmacs: Cost in 10⁹ multiply-adds (the paper calls them FLOPs), as printed in Table 10.
        top1: Accuracy on ImageNet's validation images in percent, Table 10: the mean of three
            seeds.
        deviation: Standard deviation of `top1` over the three seeds, in points, Table 10.
        cause: Why the network's own cost, rounded, is another; empty where it is the same.
    """

    key: str
    change: str
    gmacs: str
    top1: float
    deviation: float
    cause: str = ""


CONVNEXT_ROAD: tuple[RoadStep, ...] = (
    RoadStep("resnet50", "ResNet-50, trained with the new recipe", "4.09", 78.82, 0.07),
    RoadStep("stage_ratio", "blocks per stage 3, 3, 9, 3", "4.53", 79.36, 0.07),
    RoadStep("patchify_stem", "stem: one 4×4 convolution of stride 4", "4.42", 79.51, 0.18),
    RoadStep("depthwise", "3×3 convolution depthwise", "2.35", 78.28, 0.08),
    RoadStep("width", "width 96 in place of 64", "5.27", 80.50, 0.02),
    RoadStep("inverted", "inverted bottleneck", "4.64", 80.64, 0.03),
    RoadStep("move_up", "depthwise convolution first", "4.07", 79.92, 0.08),
    RoadStep("kernel_5", "5×5 kernel", "4.10", 80.35, 0.08),
    RoadStep("kernel_7", "7×7 kernel", "4.15", 80.57, 0.14),
    RoadStep("gelu", "GELU in place of ReLU", "4.15", 80.62, 0.14),
    RoadStep("fewer_activations", "one activation a block", "4.15", 81.27, 0.06),
    RoadStep("fewer_norms", "one norm a block", "4.15", 81.41, 0.09),
    RoadStep(
        "layer_norm", "layer norm in place of batch norm", "4.46", 81.47, 0.09,
        "4.15: norms have no multiply-adds, and on the paper's other road, from ResNet-200 (Table "
        "11), this step costs nothing either. 4.46 is what our next step costs",
    ),
    RoadStep(
        "separate_downsampling", "downsampling in layers of its own", "4.49", 81.97, 0.06,
        "not known: 4.46, as the finished ConvNeXt-T, which Table 1 gives 4.5. The last step of "
        "Table 11, ConvNeXt-B, has the 15.35 that is printed",
    ),
)  # fmt: skip


def printed(model: str, quantity: str) -> str:
    """The value that a paper prints, with its decimals, of the last row that has both.

    Raises:
        KeyError: No paper prints it.
    """
    rows = {(row.model, row.quantity): row.value for row in PRINTED}
    return rows[model, quantity]


def accuracy(key: str) -> str:
    """Top-1 accuracy on ImageNet in percent of the first form that `TOP1` lists of a network."""
    return next(row.accuracy for row in TOP1 if row.key == key)


def error(key: str) -> str:
    """Top-1 error on ImageNet in percent of that form, where the paper prints it; else empty."""
    return next(row.error for row in TOP1 if row.key == key)


# Top-1 accuracy in percent of torchvision's two files of weights for ResNet-50 (its metadata).
RESNET50_WEIGHTS = ("76.13", "80.86")
