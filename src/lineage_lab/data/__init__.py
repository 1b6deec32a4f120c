"""Images in, batches out: sets with a name, the reader's folders, what is kept of them decoded.

The public names are loaded when they are first used: a look at a folder needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage_lab.data.sets import ImageSet as ImageSet
    from lineage_lab.data.sets import Preprocessing as Preprocessing
    from lineage_lab.data.sets import Reading as Reading
    from lineage_lab.data.sets import Source as Source
    from lineage_lab.data.sets import check as check
    from lineage_lab.data.sets import digits as digits
    from lineage_lab.data.sets import load as load
    from lineage_lab.data.sets import read_image as read_image
    from lineage_lab.data.sets import split as split
    from lineage_lab.data.sets import split_digits as split_digits

__all__ = ["ImageSet", "Preprocessing", "Reading", "Source", "check", "digits", "load",
           "read_image", "split", "split_digits"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.sets"), name)
