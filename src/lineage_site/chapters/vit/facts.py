"""ViT. Sections and tables are those of Dosovitskiy and others 2020 (arXiv:2010.11929)."""

from lineage_lab.chapters.lineage import TOP1
from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import accuracy, printed

__all__ = ["FACTS"]

_21K = next(row.accuracy for row in TOP1 if row.key == "vit" and "21k" in row.model)

FACTS = (
    Fact("Patch", "16 × 16 pixels", "title, section 3.1"),
    Fact("Encoder blocks", 12, "Table 1, ViT-Base"),
    Fact("Length of a token", 768, "Table 1"),
    Fact("Hidden units of an MLP", "3,072", "Table 1"),
    Fact("Heads", 12, "Table 1"),
    Fact("Parameters", f"{printed('vit_b_16', 'parameters')} M", "Table 1"),
    Fact("ImageNet, pre-trained on ImageNet alone (ViT-B/16)", f"{accuracy('vit')} %", "Table 5"),
    Fact("The same, pre-trained on JFT-300M", "84.15 %", "Table 5"),
    Fact("ImageNet, pre-trained on ImageNet-21k (ViT-B/16)", f"{_21K} %", "Table 5", shown=False),
    Fact("ImageNet, pre-trained on ImageNet alone (ViT-L/16)", "76.53 %", "Table 5", shown=False),
    Fact(
        "ImageNet, pre-trained on JFT-300M: ViT-L/16 and BiT-L (ResNet-152x4)",
        "87.76 and 87.54 %",
        "Table 2",
        shown=False,
    ),
    Fact("ImageNet-21k", "14 million images, 21,000 classes", "section 4.1", shown=False),
    Fact("JFT-300M", "303 million images", "section 4.1", shown=False),
    Fact("ImageNet", "1.3 million images, 1,000 classes", "section 4.1", shown=False),
    Fact("Pre-training", "224 × 224 pixels", "Table 3", shown=False),
    Fact("The Transformer", 2017, "arXiv:1706.03762", shown=False),
    Fact(
        "DeiT, ImageNet alone, 86 M parameters", "83.1 %", "arXiv:2012.12877, abstract", shown=False
    ),
    Fact(
        "Training DeiT", "one computer, less than 3 days", "arXiv:2012.12877, abstract", shown=False
    ),
    Fact(
        "Weights of torchvision",
        "81.072, 81.886 and 85.304 %",
        "lineage_lab.weights.published",
        shown=False,
    ),
    Fact(
        "Millions of parameters with and without the head",
        "86.57 and 85.80",
        "facts.printed",
        shown=False,
    ),
    Fact("How positions are stretched", "section 3.2", "section 3.2", shown=False),
    Fact(
        "Licence of the photograph",
        "CC BY 2.0",
        "scikit-learn, datasets/images/README.txt",
        shown=False,
    ),
    Fact("SWAG", 2022, "arXiv:2201.08371", shown=False),
    Fact("Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data", shown=False),
    Fact(
        "Digits of the long experiment",
        "500, 1,000 and 4,000",
        "docs/results/vit.json",
        shown=False,
    ),
    Fact("Authors", "Dosovitskiy and 11 others", "title page", shown=False),
    Fact(
        "Deviation of a product of two lists of 64 random numbers, mean 0 and deviation 1",
        8,
        "root of 64; Vaswani 2017, section 3.2.1",
        shown=False,
    ),
    Fact("Widening of the MLP", "4 times: 768 to 3,072", "Table 1", shown=False),
)
