"""EfficientNet. Sections and tables are those of Tan and Le 2019, arXiv:1905.11946, version 5."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import accuracy, printed

__all__ = ["FACTS"]

LITE = "EfficientNet-Lite, README of its code"

FACTS = (
    Fact("Input of B0", "224 × 224 pixels", "Table 1"),
    Fact("Weights of B0", f"{printed('efficientnet_b0', 'parameters')} million", "Table 2"),
    Fact(
        "Multiply-adds of B0",
        f"{printed('efficientnet_b0', 'macs')} billion, called FLOPS",
        "Table 2",
    ),
    Fact("Depth, width, resolution for φ = 1", "1.2, 1.1, 1.15", "section 4"),
    Fact("B0 and B7 on ImageNet, top-1", f"{accuracy('efficientnet')} % and 84.3 %", "Table 2"),
    Fact("B7 beside GPipe", "8.4 times smaller, 6.1 times faster", "Fig. 1, Tables 2 and 4"),
    Fact("ResNets of many depths", "18 to 200 layers", "section 1", shown=False),
    Fact("Depths as accurate as one another", "101 and 1,000 layers", "section 3.2", shown=False),
    Fact("Images of 2019", "224, 299, 331, 480 pixels", "section 3.2", shown=False),
    Fact("Where one dimension saturates", "80 %", "Fig. 3", shown=False),
    Fact("Cost that the search aimed at", "400 million", "section 4", shown=False),
    Fact(
        "B0 four times: depth 4, width 2, resolution 2, all",
        "79.0, 78.9, 79.1, 81.1 %",
        "section 6, Table 7",
        shown=False,
    ),
    Fact("All three there", "1.4, 1.2, 1.3", "section 6, Table 7", shown=False),
    Fact("Cost there", "1.8, 1.8, 1.9, 1.8 billion", "section 6, Table 7", shown=False),
    Fact("torchvision's B2", "288 pixels", "lineage_lab.weights.published", shown=False),
    Fact(
        "ResNet-50 four times: depth, width, resolution, all",
        "78.1, 77.7, 77.5, 78.8 %",
        "section 5.1, Table 3",
        shown=False,
    ),
    Fact(
        "ResNet-152 beside B1: operations, time",
        "16 times, 5.7 times",
        "Tables 2 and 4",
        shown=False,
    ),
    Fact("Batch norm momentum in TensorFlow's sense", "0.99", "section 5.2", shown=False),
    Fact("Dropout, B0 to B7", "0.2 to 0.5", "section 5.2", shown=False),
    Fact("Top-1 of B7 in the paper's first version", "84.4 %", "version 1", shown=False),
    Fact("Lite0, top-1, float and 8-bit", "75.1 % and 74.4 %", LITE, shown=False),
    Fact(
        "ReLU6, lowest and highest output",
        "0 and 6",
        "arXiv:1704.04861 and PyTorch, nn.ReLU6",
        shown=False,
    ),
    Fact(
        "torchvision's files of weights",
        "B0 to B4 end in rwightman, B5 to B7 in lukemelas",
        "torchvision, EfficientNet_B0_Weights to EfficientNet_B7_Weights",
        shown=False,
    ),
    Fact("Digits, and steps of one pass", "4,000 and 1,000, 125", "lineage_lab.data", shown=False),
    Fact("GPipe's weights", "557 million", "Table 2", shown=False),
)
