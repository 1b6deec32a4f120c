"""VGG. Sections and tables are those of Simonyan and Zisserman 2014, sixth version (April 2015)."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import error

__all__ = ["FACTS"]

FACTS = (
    Fact("Input", "224 × 224 pixels, three channels, the mean colour subtracted", "section 2.1"),
    Fact("Kernels", "3 × 3, stride 1, padding 1", "section 2.1"),
    Fact("Layers with weights", "11 (column A) to 19 (column E)", "Table 1"),
    Fact("Parameters", "133 million (A) to 144 million (E)", "Table 2"),
    Fact("Training", "256 images a step, 370,000 steps, 74 passes", "section 3.1"),
    Fact("Time for one network", "2 to 3 weeks on four Titan Black GPUs", "section 3.3"),
    Fact("ILSVRC 2014, classification", "second, 7.3 % top-5 error, 7 networks", "section 4.5"),
    Fact("ILSVRC 2014, localisation", "first, 25.3 % error", "appendix A"),
    Fact("One network, later", "7.0 % top-5 test error", "Table 7"),
    Fact("GoogLeNet, seven networks and one", "6.7 % and 7.9 %", "Table 7", shown=False),
    Fact(
        "First kernels of AlexNet and of Zeiler and Fergus",
        "11 × 11, stride 4; 7 × 7, stride 2",
        "section 2.3",
        shown=False,
    ),
    Fact(
        "One 7×7 against three 3×3, equal channels",
        "49 C² and 27 C²: 81 % more",
        "section 2.3",
        shown=False,
    ),
    Fact(
        "Five 5×5 layers in place of B's pairs",
        "7 % higher top-1 error",
        "section 4.1",
        shown=False,
    ),
    Fact(
        "Top-1 error at 256 pixels: A, B, C, D, E",
        "29.6, 28.7, 28.1, 27.0, 27.3",
        "Table 3",
        shown=False,
    ),
    Fact("Top-1 error of A with local response normalisation", 29.7, "Table 3", shown=False),
    Fact(
        "Top-1 error with jittered scale: C, D, E",
        f"27.3, {error('vgg')}, 25.5",
        "Table 3",
        shown=False,
    ),
    Fact(
        "First weights",
        "variance 10⁻², which is a standard deviation of 0.1",
        "section 3.1",
        shown=False,
    ),
    Fact("Sides of the images at test", "256, 384, 512", "section 4.2", shown=False),
    Fact(
        "First weights of AlexNet",
        "standard deviation 0.01",
        "Krizhevsky 2012, section 5",
        shown=False,
    ),
    Fact(
        "Glorot's and He's first weights",
        "2010 and 2015",
        "AISTATS 2010, pages 249–256; arXiv:1502.01852",
        shown=False,
    ),
    Fact("Batch norm", 2015, "arXiv:1502.03167", shown=False),
    Fact("Digits of this site's experiments", "4,000 and 1,000", "lineage_lab.data", shown=False),
)
