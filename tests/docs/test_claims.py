"""Sentences of the pages that other libraries bear out: torchvision's metadata, timm's networks."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image

from lineage_lab.data.decoding import fit

MODELS = [f"efficientnet_b{size}" for size in range(8)]
SHOWN = [*MODELS, "resnet50", "convnext_tiny", "vit_b_16", "vgg16", "alexnet", "googlenet"]


def weights(name: str) -> list[torchvision.models.Weights]:
    """The files of a network, as torchvision lists them."""
    return list(torchvision.models.get_model_weights(name))


def test_efficientnets_files_come_from_two_hands() -> None:
    files = {name: weights(name)[0].url.rpartition("/")[2] for name in MODELS}
    assert [name for name, file in files.items() if "rwightman" in file] == MODELS[:5]
    assert [name for name, file in files.items() if "lukemelas" in file] == MODELS[5:]


def test_published_accuracies_belong_to_a_tighter_crop_and_to_bicubic_scaling() -> None:
    ways = [w.transforms() for name in SHOWN for w in weights(name) if "SWAG" not in w.name]
    tighter = [way for way in ways if way.resize_size[0] > way.crop_size[0]]
    assert len(tighter) > len(ways) / 2
    efficientnets = [w.transforms().interpolation.value for m in MODELS for w in weights(m)]
    assert efficientnets.count("bicubic") > len(efficientnets) / 2


def test_the_package_gives_a_network_the_whole_square_bilinearly() -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(256, size=(90, 120, 3), dtype="u1"))
    square = photo.crop((15, 0, 105, 90)).resize((32, 32), Image.Resampling.BILINEAR)
    inside = (slice(2, -2), slice(2, -2))  # at the edge one looks over it, the other does not
    assert np.array_equal(fit(photo, 32).transpose(1, 2, 0)[inside], np.array(square)[inside])


@pytest.mark.parametrize("option", [{"img_size": 256}, {"dynamic_img_size": True}])
def test_timms_vits_take_other_sizes(option: dict[str, object]) -> None:
    model = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=2, **option)
    assert model(torch.zeros(1, 3, 256, 256)).shape == (1, 2)


def test_torchvisions_metadata_has_the_figures_that_the_pages_give() -> None:
    top1 = {
        f"{name} {w.name}": w.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        for name in ("resnet50", "convnext_tiny")
        for w in weights(name)
    }
    assert {key: round(value, 2) for key, value in top1.items()} == {
        "resnet50 IMAGENET1K_V1": 76.13,
        "resnet50 IMAGENET1K_V2": 80.86,
        "convnext_tiny IMAGENET1K_V1": 82.52,
    }
    assert weights("googlenet")[0].meta["num_params"] == 6_624_904
