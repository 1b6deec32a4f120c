"""The modules that pages or notebooks once named, and where each is now."""

from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["MOVED", "Finder"]

# Where it is now, below `lineage_lab` where no package is named -> what it was called.
_NOW = {
    "chapters.alexnet": "figures.alexnet figures.alexnet_runs",
    "chapters.convnext": "figures.convnext_runs",
    "chapters.efficientnet": "figures.efficientnet_digits figures.efficientnet_photos",
    "chapters.experiments": "experiments",
    "chapters.googlenet": "figures.googlenet_cost figures.googlenet_runs",
    "chapters.lineage": "lineage",
    "chapters.photos": "figures.photos",
    "chapters.resnet": "figures.resnet_runs",
    "chapters.resnet, with linear_guess for kept": "figures.resnet_idea",
    "comparing.charts": "figures.results",
    "comparing.choosing": "choosing",
    "comparing.comparison": "comparison",
    "comparing.provenance": "provenance",
    "comparing.report": "figures.report",
    "comparing.results": "results",
    "comparing.runs": "runs",
    "comparing.significance": "significance",
    "data.augment": "augment",
    "data.cache": "cache",
    "data.decoding": "decode",
    "data.folders": "folders",
    "data.named": "datasets",
    "data.sets": "data.DATASETS data.check",
    "models.blocks": "blocks",
    "training.batches": "batches",
    "training.checkpoint": "checkpoint",
    "training.device": "device",
    "training.loop": "finetuning",
    "training.lr_finder": "lr_finder",
    "training.optim": "optim",
    "training.pretrained": "starting",
    "training.processes": "distributed",
    "training.recipe": "recipe",
    "training.run": "training.Batches training.Epoch training.Prepare training.Run training.step",
    "training.warmup": "warmup",
    "using.answers": "figures.gradcam",
    "using.export": "export",
    "using.gradcam": "gradcam",
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
MOVED = {f"lineage_lab.{old}": new for new, olds in _NOW.items() for old in olds.split()}


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
