"""The same weights in another library: saved by its own means, loaded here, the same logits."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lineage_lab import create_model
from lineage_lab.models.convnext import ConvNeXt, ConvNeXtConfig
from lineage_lab.models.vit import ViT, ViTConfig
from lineage_lab.weights.libraries import namings
from lineage_lab.weights.loading import load_into, recognise
from lineage_lab.weights.reading import read
from tests.rows import some

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("same_weights", ROOT / "benchmarks/same_weights.py")
assert spec is not None
assert spec.loader is not None
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)

# Each library once, and each family that the loader treats in its own way.
GATE = [
    p for p in bench.PAIRS
    if (p.library, p.family) in {("torchvision", "googlenet"), ("timm", "efficientnet"),
                                 ("transformers", "resnet"), ("transformers", "efficientnet"),
                                 ("transformers", "vit")}
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pair", some(bench.PAIRS, GATE), ids=lambda p: f"{p.library}-{p.name}")
def test_the_logits_are_the_librarys(pair) -> None:
    side = 224 if pair.family in ("vit", "vgg") else 64
    largest, spread = bench.difference(pair, side=side)
    assert largest < 1e-4 * max(1.0, spread)
    assert spread > 0.001  # it matters what one sees


def test_each_pair_that_exists_is_measured_once() -> None:
    assert len(bench.PAIRS) == 16
    assert len({(p.family, p.library) for p in bench.PAIRS}) == 16
    assert {p.family for p in bench.PAIRS if p.library == "torchvision"} == set(bench.FAMILIES)
    timm = pytest.importorskip("timm")
    # What timm has none of stays none in the table.
    for family in ("alexnet", "googlenet"):
        assert timm.list_models(f"{family}*") == []


def test_what_is_published_is_what_the_run_gave() -> None:
    kept = json.loads((ROOT / "docs/results/same-weights.json").read_text())
    assert [(r["family"], r["library"]) for r in kept["rows"]] == [
        (p.family, p.library) for p in bench.PAIRS
    ]
    assert all(r["difference"] < 1e-4 * max(1.0, r["spread"]) for r in kept["rows"])
    shares = [r["difference"] / r["spread"] for r in kept["vgg_away"]]
    said = next(n.note for n in namings(create_model("vgg11_bn")) if n.library == "timm")
    assert f"by {shares[0]:.1f} of their standard deviation at 320" in said
    assert shares[1] > shares[0]


def logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(images)


SMALL_VIT = ViTConfig(patch=16, layers=2, dim=32, mlp_dim=64, heads=4)
SMALL_CONVNEXT = ConvNeXtConfig((8, 16, 24, 32), (1, 1, 2, 1), 0.0)


def filled(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


def test_googles_npz_is_read_as_timm_reads_it(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    ours = filled(ViT(num_classes=5, config=SMALL_VIT))
    (naming,) = [n for n in namings(ours) if n.library.startswith("google")]
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    d, h = 32, 4
    attention = "MultiHeadDotProductAttention_1"
    for i in range(2):
        block = f"Transformer/encoderblock_{i}"
        for part in ("query", "key", "value"):
            arrays[f"{block}/{attention}/{part}/kernel"] = rng.normal(size=(d, h, d // h))
            arrays[f"{block}/{attention}/{part}/bias"] = rng.normal(size=(h, d // h))
        arrays[f"{block}/{attention}/out/kernel"] = rng.normal(size=(h, d // h, d))
        arrays[f"{block}/{attention}/out/bias"] = rng.normal(size=d)
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            arrays[f"{block}/{norm}/scale"] = rng.normal(size=d)
            arrays[f"{block}/{norm}/bias"] = rng.normal(size=d)
        arrays[f"{block}/MlpBlock_3/Dense_0/kernel"] = rng.normal(size=(d, 64))
        arrays[f"{block}/MlpBlock_3/Dense_0/bias"] = rng.normal(size=64)
        arrays[f"{block}/MlpBlock_3/Dense_1/kernel"] = rng.normal(size=(64, d))
        arrays[f"{block}/MlpBlock_3/Dense_1/bias"] = rng.normal(size=d)
    arrays |= {
        "Transformer/encoder_norm/scale": rng.normal(size=d),
        "Transformer/encoder_norm/bias": rng.normal(size=d),
        "Transformer/posembed_input/pos_embedding": rng.normal(size=(1, 197, d)),
        "embedding/kernel": rng.normal(size=(16, 16, 3, d)),
        "embedding/bias": rng.normal(size=d),
        "cls": rng.normal(size=(1, 1, d)),
        "head/kernel": rng.normal(size=(d, 5)),
        "head/bias": rng.normal(size=5),
    }
    arrays = {key: (0.2 * value).astype(np.float32) for key, value in arrays.items()}
    assert {n for s in naming.sources.values() for n in s.names} == set(arrays)
    np.savez(tmp_path / "vit.npz", **arrays)
    theirs = timm.models.VisionTransformer(
        img_size=224, patch_size=16, embed_dim=d, depth=2, num_heads=h, mlp_ratio=2, num_classes=5
    )
    theirs.load_pretrained(str(tmp_path / "vit.npz"))
    found = recognise(ours, read(tmp_path / "vit.npz"), head="head", name="vit")
    load_into(ours, found, name="vit", head="head")
    images = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(logits(ours, images), logits(theirs, images), rtol=1e-4, atol=1e-4)


def test_facebooks_convnext_is_read_as_timm_reads_it(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    from timm.models.convnext import checkpoint_filter_fn

    ours = filled(ConvNeXt(num_classes=5, config=SMALL_CONVNEXT))
    (naming,) = [n for n in namings(ours) if n.library.startswith("facebook")]
    theirs = timm.models.ConvNeXt(
        depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), num_classes=5, ls_init_value=1e-6
    )
    file = {
        source.names[0]: (t.flatten() if ours_name.endswith("scale") else t)
        for (ours_name, source), t in zip(
            naming.sources.items(), ours.state_dict().values(), strict=True
        )
    }
    theirs.load_state_dict(checkpoint_filter_fn(dict(file), theirs))
    save_file({k: v.contiguous() for k, v in file.items()}, tmp_path / "x.safetensors")
    again = ConvNeXt(num_classes=5, config=SMALL_CONVNEXT)
    found = recognise(again, read(tmp_path / "x.safetensors"), head="head", name="convnext")
    assert found.naming.library == "facebookresearch/ConvNeXt"
    load_into(again, found, name="convnext", head="head")
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(logits(again, images), logits(theirs, images), rtol=1e-4, atol=1e-5)


def test_the_lite_packages_file_is_known_by_its_names(caplog: pytest.LogCaptureFixture) -> None:
    from lineage_lab.weights.published import find, locate

    path = locate(find("efficientnet_lite0", "imagenet"))
    images = torch.randn(1, 3, 64, 64)
    wanted = logits(create_model("efficientnet_lite0", weights="imagenet"), images)
    found = logits(create_model("efficientnet_lite0", weights=path), images)
    assert torch.equal(wanted, found)
    assert "the names of lukemelas/EfficientNet-PyTorch" in caplog.text
