"""ResNet. Sections, tables and figures are those of He, Zhang, Ren and Sun 2015."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

_LATER = "He 2016, arXiv:1603.05027, Table 1"

FACTS = (
    Fact("Images of ImageNet for training", "1.28 million", "section 4.1"),
    Fact("Multiply-adds of ResNet-50", "3.8 · 10⁹, printed as FLOPs", "Table 1, section 3.3"),
    Fact("Top-1 error, plain nets of 18 and 34 layers", "27.94 %, 28.54 %", "Table 2"),
    Fact("Top-1 error, ResNets of 18 and 34 layers", "27.88 %, 25.03 %", "Table 2"),
    Fact("Top-1 error of ResNet-50, ten crops", "22.85 %", "Table 3"),
    Fact("Top-5 error of one ResNet-152", "4.49 %", "Table 4, validation"),
    Fact("Top-5 error of six networks together", "3.57 %", "Table 5, test; section 4.1"),
    Fact("Test error on CIFAR-10, 110 layers", "6.43 % (6.61 ± 0.16)", "Table 6"),
    Fact("The same, 1,202 layers", "7.93 %", "Table 6"),
    Fact("Top-1 error of ResNet-34 with shortcuts A, B, C", "25.03, 24.52, 24.19 %", "Table 3",
         shown=False),
    Fact("Layers of VGG-19 and GoogLeNet", "19, 22", "Simonyan 2014; Szegedy 2014", shown=False),
    Fact("Year of batch normalisation, of highway networks", "2015, 2015",
         "arXiv:1502.03167, arXiv:1505.00387", shown=False),
    Fact("The plain nets of Fig. 1 and Fig. 6", "20, 32, 44, 56, 110 layers", "Fig. 1, Fig. 6",
         shown=False),
    Fact("Error of the plain net of 110 layers", "above 60 %", "Fig. 6, caption", shown=False),
    Fact("Training error of the net of 1,202 layers", "below 0.1 %", "section 4.2", shown=False),
    Fact("Warm-up of the net of 110 layers", "rate 0.01, about 400 iterations", "section 4.2",
         shown=False),
    Fact("Shortcuts halved, 110 layers", "fails to converge; 12.35 % if the branch is halved too; "
         "6.61 % untouched", _LATER, shown=False),
    Fact("Networks in the winning ensemble", "six, two of them of 152 layers", "section 4.1",
         shown=False),
    Fact("Pre-activation on CIFAR-10", "1,001 layers, 4.62 %", "He 2016, abstract", shown=False),
    Fact("Years of the papers that followed", "2016, 2017, 2019, 2022", "their arXiv numbers",
         shown=False),
    Fact("VGG-19's multiply-adds as the paper has them", "19.6 · 10⁹", "Table 1, Fig. 3",
         shown=False),
    Fact("Training on CIFAR-10", "64,000 iterations, rate 0.1", "section 4.2", shown=False),
    Fact("Sides of the images", "224 and 32 pixels", "sections 3.4 and 4.2", shown=False),
    Fact("Sections", "3.1 to 3.4, 4.1 and 4.2", "He 2015", shown=False),
    Fact("Training", "batches of 256, rate 0.1, momentum 0.9, weight decay 0.0001, up to 60 · 10⁴ "
         "iterations", "section 3.4", shown=False),
    Fact("Seeds of this site's experiments", 5, "docs/results/resnet.json", shown=False),
    Fact("Width of a bottleneck's ends beside its middle", "4 times", "Table 1, Fig. 5",
         shown=False),
    Fact("Steps of the longer trial, in which degradation stayed", "3 times as many",
         "section 4.1, note", shown=False),
)  # fmt: skip
