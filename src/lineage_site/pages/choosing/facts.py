"""Which backbone: what the page says that no table of it shows."""

from lineage_site.facts.ledger import Fact
from lineage_site.facts.printed import RESNET50_WEIGHTS

__all__ = ["FACTS"]

FACTS = (
    Fact(
        "Position embeddings are interpolated for another size",
        "section 3.2",
        "Dosovitskiy 2020, section 3.2",
    ),
    Fact(
        "Lite leaves out the gates and the swish",
        "chips for phones support them badly",
        "github.com/tensorflow/tpu, models/official/efficientnet/lite",
    ),
    Fact(
        "ResNet-50's first and second weights",
        f"{' and '.join(RESNET50_WEIGHTS)} %: 4.7 points apart",
        "torchvision, ResNet50_Weights",
    ),
)
