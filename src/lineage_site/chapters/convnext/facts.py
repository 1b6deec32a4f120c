"""ConvNeXt. Sections, tables and figures are those of Liu and others 2022, arXiv:2201.03545v2."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import CONVNEXT_ROAD, RESNET50_WEIGHTS, accuracy, printed

__all__ = ["FACTS", "OLD_RECIPE"]

OLD_RECIPE = float(
    RESNET50_WEIGHTS[0]
)  # top-1 accuracy in percent of ResNet-50 as it was first trained: Table 10
_TOP1 = {step.key: f"{step.top1:.2f}" for step in CONVNEXT_ROAD}

FACTS = (
    Fact("Blocks in the four stages of ConvNeXt-T", "3, 3, 9, 3", "section 3"),
    Fact("Channels of the four stages of ConvNeXt-T", "96, 192, 384, 768", "section 3"),
    Fact("Window of every depthwise convolution", "7 × 7", "section 2.5"),
    Fact(
        "Parameters of ConvNeXt-T", f"{printed('convnext_tiny', 'parameters')} million", "Table 9"
    ),
    Fact("ConvNeXt-T on ImageNet, top-1", f"{accuracy('convnext')} %", "Table 1"),
    Fact("Swin-T, of the same cost", "81.3 %", "Table 1"),
    Fact("ResNet-50, the old recipe", f"{OLD_RECIPE:.1f} %", "section 2.1"),
    Fact("ResNet-50, the new recipe", "78.8 %", "section 2.1"),
    Fact("Training", "300 epochs, AdamW, batches of 4,096", "Table 5"),
    # Not in the table.
    Fact("Gain by the recipe alone", "2.7", "section 2.1", shown=False),
    Fact("Epochs of the old recipe", 90, "section 2.1", shown=False),
    Fact("Warm-up", "20 epochs", "Table 5", shown=False),
    Fact("Learning rate", "4e-3, or 0.004", "Table 5", shown=False),
    Fact("Weight decay", "0.05", "Table 5", shown=False),
    Fact("Stochastic depth of T, S, B, L", "0.1, 0.4, 0.5, 0.5", "Table 5", shown=False),
    Fact("Layer scale at the start", "1e-6: 0.000001", "Table 5", shown=False),
    Fact(
        "Initial weights: printed, and in the authors' code",
        "0.2 and 0.02",
        "Table 5; facebookresearch/ConvNeXt, models/convnext.py",
        shown=False,
    ),
    Fact("ResNet-50 with the old recipe, two decimals", f"{OLD_RECIPE}", "Table 10", shown=False),
    Fact("The road, top-1", " ".join(_TOP1.values()), "Table 10", shown=False),
    Fact("Networks of the road with the new recipe", 14, "Table 10", shown=False),
    Fact("The end of the road, one decimal", "82.0", "section 2.6", shown=False),
    Fact(
        "Kernels of 9 and of 11",
        f"{_TOP1['kernel_7']} and 80.47, 4.21 and 4.29 G",
        "Table 10",
        shown=False,
    ),
    Fact("Deviations of three seeds", "0.02 to 0.18", "Table 10", shown=False),
    Fact("Swin-T in the road's table", "81.30", "Table 10", shown=False),
    Fact("ResNet-200 from old to new recipe", "78.20 to 81.14", "Table 11", shown=False),
    Fact(
        "The road from ResNet-200 ends at ConvNeXt-B",
        "83.60; Swin-B 83.50",
        "Table 11",
        shown=False,
    ),
    Fact(
        "ConvNeXt-T, S, B, L, top-1",
        f"{accuracy('convnext')}, 83.1, 83.8, 84.3",
        "Table 1",
        shown=False,
    ),
    Fact("Swin-S, Swin-B, top-1", "83.0, 83.5", "Table 1", shown=False),
    Fact("ConvNeXt-XL, trained first on ImageNet-22K", "87.8", "Table 1", shown=False),
    Fact("Images a second on a V100: ConvNeXt-T, Swin-T", "774.7, 757.9", "Table 1", shown=False),
    Fact("Swin's shifted windows", "2021", "arXiv:2103.14030", shown=False),
    Fact("Stochastic depth", "2016", "arXiv:1603.09382", shown=False),
    Fact("Layer norm", "2016", "arXiv:1607.06450", shown=False),
    Fact("Layer scale", "2021", "arXiv:2103.17239", shown=False),
    Fact("Grouped convolutions, wider: ResNeXt", "2016", "arXiv:1611.05431", shown=False),
    Fact(
        "Depthwise convolutions: Xception, MobileNet",
        "2016, 2017",
        "arXiv:1610.02357, arXiv:1704.04861",
        shown=False,
    ),
    Fact("Inverted bottlenecks: MobileNetV2", "2018", "arXiv:1801.04381", shown=False),
    Fact("GELU", "2016", "arXiv:1606.08415", shown=False),
    Fact(
        "Group norm against batch norm at batches of 2, ResNet-50",
        "10.6 % lower error",
        "Wu and He 2018, arXiv:1803.08494, abstract",
        shown=False,
    ),
    Fact(
        "ResNet strikes back: ResNet-50 with a demanding recipe",
        "80.4 %, 2021",
        "arXiv:2110.00476, abstract",
        shown=False,
    ),
    Fact(
        "ConvNeXt V2",
        "2023, 88.9 % (Huge), 76.7 % (Atto)",
        "arXiv:2301.00808, abstract",
        shown=False,
    ),
    Fact(
        "torchvision's own weights for ConvNeXt-T",
        "82.520",
        "torchvision, ConvNeXt_Tiny_Weights",
        shown=False,
    ),
    Fact(
        "What the recipe does to the images",
        "RandAugment, mixup 0.8, CutMix 1.0, random erasing 0.25",
        "Table 5",
        shown=False,
    ),
    Fact(
        "What else the recipe holds",
        "label smoothing 0.1, stochastic depth, EMA 0.9999",
        "Table 5",
        shown=False,
    ),
    Fact(
        "torchvision's ResNet-50, first and second weights",
        " and ".join(RESNET50_WEIGHTS),
        "torchvision, ResNet50_Weights",
        shown=False,
    ),
    Fact(
        "torchvision's second recipe for ResNet-50",
        "SGD, 600 epochs, batches of 1,024, "
        "TrivialAugment, random erasing, mixup, CutMix, label smoothing, EMA",
        "V. Vryniotis, pytorch.org/blog, 18 November 2021",
        shown=False,
    ),
    Fact(
        "Rate of the ResNets, and their batch",
        "0.1, 256 images",
        "He 2015, section 3.4",
        shown=False,
    ),
    Fact("Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data", shown=False),
    Fact("Side of an ImageNet crop", 224, "section 3.1", shown=False),
    Fact(
        "Costs of the road that round to the printed ones",
        "12 of 14",
        "lineage_site.facts.printed, held by tests",
        shown=False,
    ),
)
