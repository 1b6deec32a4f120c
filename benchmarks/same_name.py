"""One name in two libraries: is it the same network?

The same weights are put into both, tensor by tensor in their order, and both are given the same
crops of photographs. Their scores are compared: the largest difference, and the same as a share of
the spread of a score between the images. The weights are the first ones of a seed, since it is the
arithmetic that differs.

    pip install -e ".[bench,test]"
    python benchmarks/same_name.py --json docs/results/same-name.json
"""

import argparse
import importlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision.models as tvm
from torch import Tensor, nn

from lineage_lab.comparing.provenance import provenance
from lineage_lab.data.sets import Preprocessing, read_image
from lineage_lab.registry import create_model

sys.path.insert(0, str(Path(__file__).parent))
crops = importlib.import_module("serving").crops

IMAGES = 4
IMAGENET = Preprocessing(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
TOKENS = (1.0, 0.01, 0.001)  # sizes of a token's numbers


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two networks of one name, and the images that they are compared on.

    Attributes:
        build: Makes our network and the other one, without its weights.
        side: Side of the images in pixels.
        needs: Module that the other network comes from.
    """

    build: Callable[[], tuple[nn.Module, nn.Module]]
    side: int = 224
    needs: str = "timm"


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy the weights into a network that has the same tensors in the same order."""
    state = target.state_dict()
    weights = {k: t for k, t in source.state_dict().items() if not k.endswith("batches_tracked")}
    names = [name for name in state if not name.endswith("batches_tracked")]
    for name, tensor in zip(names, weights.values(), strict=True):
        state[name] = tensor.reshape(state[name].shape)
    target.load_state_dict(state)


def shift_statistics(model: nn.Module) -> None:
    """Give batch norms variances other than 1, some of them small, so that their epsilon counts."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.copy_(0.01 + torch.rand(module.num_features, generator=generator))


def difference(pair: Pair, folder: Path, number: int = IMAGES) -> dict[str, float]:
    """The largest difference of a score, and the same in spreads of a score between images."""
    torch.manual_seed(0)
    ours, theirs = pair.build()
    shift_statistics(ours)
    copy_weights(ours, theirs)
    preprocessing = Preprocessing(size=pair.side, mean=IMAGENET.mean, std=IMAGENET.std)
    paths = crops(folder, number)
    pixels = torch.stack([read_image(path, preprocessing) for path in paths]).float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET.mean, IMAGENET.std))
    scores: list[Tensor] = []
    with torch.inference_mode():
        for model in (ours, theirs):
            output = model.eval()((pixels - mean) / std)
            scores.append(getattr(output, "logits", output))
    largest = float((scores[0] - scores[1]).abs().max())
    spread = float(scores[0].std(0).mean())
    return {"difference": float(f"{largest:.2g}"), "spreads": float(f"{largest / spread:.2g}")}


def in_timm(name: str) -> tuple[nn.Module, nn.Module]:
    return create_model(name), timm.create_model(name)


def efficientnet(*, undone: bool) -> tuple[nn.Module, nn.Module]:
    from transformers import EfficientNetConfig, EfficientNetForImageClassification

    config = EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, image_size=224, hidden_dim=1280,
        dropout_rate=0.2, num_labels=1000,
    )  # fmt: skip
    theirs = EfficientNetForImageClassification(config)
    if undone:
        for module in list(theirs.modules()):
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-5
            if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                module.padding = tuple(k // 2 for k in module.kernel_size)
            for name, child in list(module.named_children()):
                if isinstance(child, nn.ZeroPad2d):
                    setattr(module, name, nn.Identity())
    return create_model("efficientnet_b0"), theirs


def transformed(name: str) -> tuple[nn.Module, nn.Module]:
    build, options = getattr(tvm, name), {"init_weights": False, "aux_logits": False}
    return build(**options), build(**options, transform_input=True)


def epsilon_of_vit(size: float) -> float:
    """Largest difference after a layer norm with either library's epsilon, of tokens of a size."""
    from transformers import ViTConfig

    generator = torch.Generator().manual_seed(0)
    tokens = size * torch.randn(4, 197, 768, generator=generator)
    ours = next(m for m in create_model("vit_b_16").modules() if isinstance(m, nn.LayerNorm))
    epsilons = ours.eps, ViTConfig().layer_norm_eps
    one, two = (nn.functional.layer_norm(tokens, (768,), eps=epsilon) for epsilon in epsilons)
    return float((one - two).abs().max())


PAIRS = {
    "timm’s `resnet50`": Pair(build=lambda: in_timm("resnet50")),
    "timm’s `vgg16` at 224 pixels": Pair(build=lambda: in_timm("vgg16")),
    "timm’s `vgg16` at 320 pixels": Pair(build=lambda: in_timm("vgg16"), side=320),
    "timm’s `vgg16` at 448 pixels": Pair(build=lambda: in_timm("vgg16"), side=448),
    "Hugging Face’s EfficientNet-B0": Pair(
        build=lambda: efficientnet(undone=False), needs="transformers"
    ),
    "the same with our epsilon and padding": Pair(
        build=lambda: efficientnet(undone=True), needs="transformers"
    ),
    "torchvision’s `googlenet` with `transform_input`": Pair(
        build=lambda: transformed("googlenet"), needs="torchvision"
    ),
    "torchvision’s `inception_v3` with `transform_input`": Pair(
        build=lambda: transformed("inception_v3"), side=299, needs="torchvision"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    import transformers

    pairs = {}
    for name, pair in PAIRS.items():
        with tempfile.TemporaryDirectory() as folder:
            pairs[name] = difference(pair, Path(folder))
        print(name, pairs[name], flush=True)
    tokens = {str(size): float(f"{epsilon_of_vit(size):.2g}") for size in TOKENS}
    print(tokens)
    record = {
        "images": IMAGES,
        "pairs": pairs,
        "layer_norm": tokens,
        "versions": {"timm": timm.__version__, "transformers": transformers.__version__},
        "provenance": provenance(),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
