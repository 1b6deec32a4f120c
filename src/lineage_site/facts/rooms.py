"""The rooms of both packages in their order: a room imports from rooms before it only.

A room is a folder, or one of the four modules that stand beside the folders. Read by
``tests/repository/test_layering.py``, which holds the folders and every import to it, and by the
picture of the house.
"""

from dataclasses import dataclass

__all__ = ["HANDS_ON", "LIBRARY", "SITE", "Room"]

# Files beside the rooms, which hand on what the rooms have, or say where it is now.
HANDS_ON = ("__init__", "__main__", "moved")


@dataclass(frozen=True, slots=True)
class Room:
    """A folder, or a module beside the folders.

    Attributes:
        name: Name of the folder or of the module.
        kind: Colour in the picture, by the name of a kind of layer.
    """

    name: str
    kind: str


LIBRARY = (
    Room("files", "act"),
    Room("heads", "conv"),
    Room("anatomy", "norm"),
    Room("models", "conv"),
    Room("weights", "conv"),
    Room("registry", "conv"),
    Room("data", "input"),
    Room("training", "dense"),
    Room("comparing", "pool"),
    Room("using", "pool"),
    Room("chapters", "output"),
    Room("exercises", "output"),
    Room("cli", "output"),
)
SITE = (
    Room("facts", "act"),
    Room("drawing", "input"),
    Room("chapters", "output"),
    Room("pages", "output"),
    Room("mkdocs", "dense"),
)
