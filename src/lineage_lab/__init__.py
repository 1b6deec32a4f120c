"""Lineage Lab: the networks from LeNet-5 to ViT, true to their papers, and a fine-tune routine.

The public names are loaded when they are first used, so that ``import lineage_lab`` costs
nothing: no torch, no torchvision, no drawing library.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lineage_lab.moved import Finder

if TYPE_CHECKING:
    from lineage_lab.anatomy.network import Anatomy as Anatomy
    from lineage_lab.anatomy.network import describe as describe
    from lineage_lab.comparing.comparison import Comparison as Comparison
    from lineage_lab.comparing.comparison import compare as compare
    from lineage_lab.heads import replace_head as replace_head
    from lineage_lab.registry import create_model as create_model
    from lineage_lab.registry import list_models as list_models
    from lineage_lab.training.history import History as History
    from lineage_lab.training.loop import finetune as finetune
    from lineage_lab.training.recipe import Recipe as Recipe

__version__ = "0.1.0.dev0"

_HOME = {
    "Anatomy": "anatomy",
    "Comparison": "comparing.comparison",
    "History": "training.history",
    "Recipe": "training.recipe",
    "compare": "comparing.comparison",
    "create_model": "registry",
    "describe": "anatomy",
    "finetune": "training.loop",
    "list_models": "registry",
    "replace_head": "heads",
}

__all__ = [*_HOME, "__version__"]

sys.meta_path.append(Finder)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
