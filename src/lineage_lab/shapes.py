"""The axis vocabulary of the package's shape annotations.

Every public ``forward`` says its shapes with jaxtyping and these words, so that a reader
meets one name for one thing. While the tests run, beartype checks them.

======== ==========================================================
word     meaning
======== ==========================================================
batch    images that are processed together
channels feature maps (1 for grey, 3 for colour at the input)
height   rows, in pixels of the map
width    columns, in pixels of the map
features length of a vector that has no place in the picture
classes  one score for each class
======== ==========================================================

Neighbours: every file of `lineage_lab.models` writes its shapes with them.
"""

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
"""Images or feature maps, ``[batch, channels, height, width]``."""

Vectors = Float[Tensor, "batch features"]
"""One vector an image, ``[batch, features]``."""

Scores = Float[Tensor, "batch classes"]
"""One score a class, ``[batch, classes]``; the largest is the answer."""

__all__ = ["Images", "Scores", "Vectors"]
