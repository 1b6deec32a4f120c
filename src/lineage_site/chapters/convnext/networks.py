"""The small networks that the chapter trains again and again, and the rates that each is given."""

from collections.abc import Callable

from torch import nn

from lineage_lab.chapters.convnext import on_the_road, small_convnext

__all__ = ["ADAMW_RATES", "NETS", "SEEDS", "SGD_RATES"]

SGD_RATES = (0.01, 0.03, 0.1, 0.3)
ADAMW_RATES = (0.001, 0.003, 0.01, 0.03)
SEEDS = range(5)
NETS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: on_the_road("fewer_norms"),
    "layer norm": lambda: on_the_road("layer_norm"),
    "ConvNeXt": small_convnext,
}
