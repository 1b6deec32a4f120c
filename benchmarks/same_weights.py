"""The same weights in another library: saved there by its own means, loaded here, logits compared.

Each pair of a family and a library that has it. The weights are random, with norms and layer scales
drawn wide enough that images differ; the logits are those of two images of noise.

    python benchmarks/same_weights.py --json docs/results/same-weights.json
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lineage_lab import create_model
from lineage_lab.comparing.provenance import provenance
from lineage_lab.heads import scores

FAMILIES = ("alexnet", "vgg", "googlenet", "resnet", "efficientnet", "convnext", "vit")
LIBRARIES = ("torchvision", "timm", "transformers")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A family in a library: which network, how it is made there, how it is saved."""

    family: str
    library: str
    name: str
    make: Callable[[], nn.Module]
    save: Callable[[nn.Module, Path], Path]


def plain_safetensors(model: nn.Module, folder: Path) -> Path:
    path = folder / "weights.safetensors"
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, path)
    return path


def pretrained_folder(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    return folder


def hub_folder(model: nn.Module, folder: Path) -> Path:
    import timm

    timm.models.save_for_hf(model, str(folder))
    return folder


def _torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import torchvision

        found: nn.Module = torchvision.models.get_model(name, **options)
        return found

    return make


def _timm(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import timm

        found: nn.Module = timm.create_model(name)
        return found

    return make


def _transformers(kind: str, **lines: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import transformers

        config = getattr(transformers, f"{kind}Config")(num_labels=1000, **lines)
        found: nn.Module = getattr(transformers, f"{kind}ForImageClassification")(config)
        return found

    return make


RESNET_18 = {"layer_type": "basic", "depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512]}
B0 = {"width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280, "image_size": 224}


def _pairs() -> tuple[Pair, ...]:
    rows: list[Pair] = []

    def row(library: str, name: str, make: Callable[[], nn.Module],
            save: Callable[[nn.Module, Path], Path]) -> None:  # fmt: skip
        family = next(f for f in FAMILIES if name.startswith(f))
        rows.append(Pair(family=family, library=library, name=name, make=make, save=save))

    for name in ("alexnet", "vgg11_bn", "resnet18", "efficientnet_b0", "convnext_tiny", "vit_b_16"):
        row("torchvision", name, _torchvision(name), plain_safetensors)
    row(
        "torchvision", "googlenet", _torchvision("googlenet", init_weights=False), plain_safetensors
    )
    for name, theirs in (("vgg11_bn", "vgg11_bn"), ("resnet18", "resnet18"),
                         ("efficientnet_b0", "tf_efficientnet_b0"),
                         ("convnext_tiny", "convnext_tiny"),
                         ("vit_b_16", "vit_base_patch16_224")):  # fmt: skip
        row("timm", name, _timm(theirs), hub_folder)
    row("transformers", "resnet18", _transformers("ResNet", **RESNET_18), pretrained_folder)
    row("transformers", "efficientnet_b0", _transformers("EfficientNet", **B0), pretrained_folder)
    row("transformers", "convnext_tiny", _transformers("ConvNext"), pretrained_folder)
    row("transformers", "vit_b_16", _transformers("ViT"), pretrained_folder)
    return tuple(rows)


PAIRS = _pairs()


def wake(model: nn.Module) -> nn.Module:
    """First weights give all images nearly the same scores; after this, they don't."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1 and any(word in name for word in ("scale", "gamma")):
            nn.init.uniform_(parameter, 0.3, 0.8)
        if name.endswith(("classifier.weight", "head.weight")):
            nn.init.normal_(parameter, std=0.05)
    return model.eval()


def difference(pair: Pair, *, side: int = 224, seed: int = 0) -> tuple[float, float]:
    """The largest difference of a logit, and the standard deviation of the logits."""
    torch.manual_seed(seed)
    theirs = wake(pair.make())
    images = torch.randn(2, 3, side, side)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = pair.save(theirs, Path(folder))
        ours = create_model(pair.name, weights=path).eval()
        wanted: Tensor = scores(theirs(images))
        found: Tensor = ours(images)
    return float((wanted - found).abs().max()), float(wanted.std())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for pair in PAIRS:
        largest, spread = difference(pair)
        rows.append({"family": pair.family, "library": pair.library, "name": pair.name,
                     "difference": largest, "spread": spread})  # fmt: skip
        print(f"{pair.library:13} {pair.name:16} {largest:.1e} of {spread:.2g}", flush=True)
    vgg = next(p for p in PAIRS if (p.library, p.family) == ("timm", "vgg"))
    away = []
    for side in (320, 448):
        largest, spread = difference(vgg, side=side)
        away.append({"side": side, "difference": largest, "spread": spread})
        print(f"timm's {vgg.name} at {side} px: {largest / spread:.1f} sd", flush=True)
    if arguments.json:
        import timm
        import torchvision
        import transformers

        versions = {"timm": timm.__version__, "torchvision": torchvision.__version__,
                    "transformers": transformers.__version__}  # fmt: skip
        result = {"provenance": provenance(), "versions": versions, "rows": rows, "vgg_away": away}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
