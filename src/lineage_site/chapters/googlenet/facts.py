"""GoogLeNet. Sections are those of Szegedy and others 2014 (arXiv:1409.4842)."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import printed

__all__ = ["FACTS"]

FACTS = (
    Fact("Input", "224 × 224 pixels, three channels", "section 5"),
    Fact("Layers with weights, along one path", 22, "section 5"),
    Fact("The same, pooling counted too", 27, "section 5"),
    Fact("Inception modules", 9, "Table 1"),
    Fact("Budget of multiply-adds", f"{printed('googlenet_paper', 'macs')} billion", "section 1"),
    Fact("Weight of each auxiliary loss", 0.3, "section 5"),
    Fact("Place in the ImageNet challenge of 2014", "first in classification", "section 7"),
    Fact("Top-5 error, seven networks and 144 crops", "6.67 %", "section 7 and Table 3"),
    Fact("Top-5 error, one network and 144 crops", "7.89 %", "Table 3"),
    Fact("Top-5 error, one network and one crop", "10.07 %", "Table 3"),
    Fact("Fewer parameters than AlexNet", "12 times", "section 1", shown=False),
    Fact("Depth of the whole drawing in building blocks", "about 100", "section 5", shown=False),
    Fact("Dropout of the auxiliary classifiers", "70 %", "section 5", shown=False),
    Fact(
        "Channels and units of an auxiliary classifier", "128 and 1,024", "section 5", shown=False
    ),
    Fact(
        "Gain of average pooling over fully connected layers, top-1",
        "0.6 %",
        "section 5",
        shown=False,
    ),
    Fact("Classes of ImageNet", "1,000", "section 7", shown=False),
    Fact("Images to train on", "1.2 million", "section 7", shown=False),
    Fact(
        "Parameters, as a later paper of the same group says",
        "5 million",
        "arXiv:1512.00567, section 1",
        shown=False,
    ),
    Fact("AlexNet's parameters there", "60 million", "arXiv:1512.00567, section 1", shown=False),
    Fact("AlexNet's parameters, counted", "60.97 million", "facts.printed", shown=False),
    Fact("Weights of Table 1, added up", "6.8 million", "Table 1", shown=False),
    Fact("Network In Network", 2013, "arXiv:1312.4400", shown=False),
    Fact("Learning rate: less by this every eight passes", "4 %", "section 6", shown=False),
    Fact(
        "torchvision's issue on the 3×3 kernel",
        906,
        "github.com/pytorch/vision/issues/906",
        shown=False,
    ),
    Fact(
        "The question put to TensorFlow",
        "2016, 2017",
        "github.com/tensorflow/models/issues/443, github.com/tensorflow/tensorflow/issues/7130",
        shown=False,
    ),
    Fact("Inception-v3", "December 2015", "arXiv:1512.00567", shown=False),
    Fact("Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data", shown=False),
)
