"""The guided reading of the ResNet paper. Places are those of He, Zhang, Ren and Sun 2015."""

from lineage_site.chapters.resnet.facts import (
    CIFAR_ERRORS,
    ERRORS,
    FIVE_RUNS,
    PLAIN_ERRORS,
    SHORTCUT_ERRORS,
    TOP5_ENSEMBLE,
)
from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import printed

__all__ = ["FACTS"]

FACTS = (
    Fact("ImageNet test error, top 5, ensemble", f"{TOP5_ENSEMBLE} %", "abstract and Table 5"),
    Fact(
        "Top-1 error on ImageNet, plain, 18 and 34 layers",
        f"{PLAIN_ERRORS[18]} % and {PLAIN_ERRORS[34]} %",
        "Table 2",
    ),
    Fact("The same with shortcuts A", f"{ERRORS[18]} % and {ERRORS[34]} %", "Table 2"),
    Fact(
        "34 layers, shortcuts A, B, C",
        ", ".join(f"{e} %" for e in SHORTCUT_ERRORS.values()),
        "Table 3",
    ),
    Fact("50, 101 and 152 layers", ", ".join(f"{ERRORS[n]} %" for n in (50, 101, 152)), "Table 3"),
    Fact(
        "CIFAR-10 error, 20, 56 and 110 layers",
        ", ".join(f"{CIFAR_ERRORS[n]} %" for n in (20, 56, 110)),
        "Table 6",
    ),
    Fact("CIFAR-10 error, 1202 layers", f"{CIFAR_ERRORS[1202]} %", "Table 6"),
    Fact(
        "Best of five runs, and their mean, 110 layers",
        f"{CIFAR_ERRORS[110]} %, {FIVE_RUNS} %",
        "Table 6",
    ),
    Fact(
        "Multiply-adds of 34 layers, as printed",
        f"{printed('plain34', 'macs')} billion, 18 % of VGG-19's",
        "section 3.3",
    ),
    Fact(
        "Multiply-adds of VGG-19, as printed",
        f"{printed('vgg19', 'macs')} billion",
        "section 3.3 and Fig. 3",
    ),
    Fact("Depth of the plain networks of Fig. 1", "20 and 56", "Fig. 1", shown=False),
    Fact("Pages of the linked copy", 12, "the PDF of arXiv:1512.03385v1", shown=False),
    Fact("Crops at a test", "10", "section 3.4", shown=False),
    Fact("The authors' next paper", 2016, "arXiv:1603.05027", shown=False),
    Fact("Training images of CIFAR-10", "50,000", "section 4.2", shown=False),
    Fact("Layers of the networks for CIFAR-10", "6n + 2", "section 4.2", shown=False),
    Fact("Detection on COCO, mAP", "21.2 % to 27.2 %: 28 % relative", "Table 8", shown=False),
)
