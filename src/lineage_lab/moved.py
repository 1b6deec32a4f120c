"""The modules that pages or notebooks once named, and where each is now."""

from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["MOVED", "Finder"]

# Room -> the modules that stood at the top, and have kept their names.
_SAME = {
    "chapters": "experiments lineage",
    "comparing": "choosing comparison provenance results runs significance",
    "data": "augment cache folders",
    "models": "blocks",
    "training": "batches checkpoint device lr_finder optim recipe",
    "using": "export gradcam",
}
# The module now, below `lineage_lab` where no package is named -> what it was called.
_NOW = {
    "chapters.alexnet": "figures.alexnet figures.alexnet_runs",
    "chapters.convnext": "figures.convnext_runs",
    "chapters.efficientnet": "figures.efficientnet_digits figures.efficientnet_photos",
    "chapters.googlenet": "figures.googlenet_cost figures.googlenet_runs",
    "chapters.photos": "figures.photos",
    "chapters.resnet": "figures.resnet_runs",
    "chapters.resnet, with linear_guess for kept": "figures.resnet_idea",
    "comparing.charts": "figures.results",
    "comparing.report": "figures.report",
    "data.decoding": "decode",
    "data.named": "datasets",
    "data.sets": "data.DATASETS",
    "training.loop": "finetuning",
    "training.pretrained": "starting",
    "training.processes": "distributed",
    "training.batches": "training.Batches training.Prepare",
    "training.history": "training.Epoch",
    "training.run": "training.Run",
    "training.trial": "warmup",
    "using.answers": "figures.gradcam",
    "using.predictor": "predict",
    "weights.naming": "interchange",
    "weights.published": "weights.WEIGHTS weights.WeightsEntry weights.WeightsUnavailable "
    "weights.find weights.load weights.locate",
    "lineage_site.chapters.vgg.runs": "figures.vgg_runs",
    "lineage_site.drawing.quiz": "quizzes",
    "lineage_site.facts.faults": "faults",
    "lineage_site.facts.ledger": "ledger",
    "lineage_site.facts.printed": "printed",
}
_PAIRS = (
    *((f"{room}.{name}", name) for room, names in _SAME.items() for name in names.split()),
    *((new, old) for new, names in _NOW.items() for old in names.split()),
)
MOVED = {f"lineage_lab.{old}": new for new, old in _PAIRS}


class Finder:
    """The last to be asked for a module: it knows those that have moved.

    Their names are in the errors' words only: Python says nothing of an error that carries the
    name that ``from lineage_lab.weights import load`` asks for.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None where the name is of another package, or never was a module of this one.

        Raises:
            ModuleNotFoundError: It has moved; the message says where to.
        """
        if name == "lineage_lab.figures":  # so that the names below it are asked for
            return ModuleSpec(name, None, is_package=True)
        new = MOVED.get(name)
        if new is None and name.startswith("lineage_lab.figures."):
            new = "lineage_site.drawing"
        if new is None:
            return None
        if new.startswith("lineage_site"):
            new += ", which makes the site and comes with the repository alone"
        else:
            new = f"lineage_lab.{new}"
        raise ModuleNotFoundError(f"{name} is now {new}")
