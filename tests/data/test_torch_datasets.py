"""A Dataset of the reader's own: images and labels as they come, or a word on which does not."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from lineage_lab import compare, create_model, finetune
from lineage_lab.data.sets import Source, as_images, load, split
from lineage_lab.training.recipe import Recipe

QUICK = Recipe(epochs=1, batch_size=8, precision="fp32", memory_format="contiguous", device="cpu")


class Pictures(Dataset[tuple[Any, int]]):
    """Two classes of grey squares in one of the forms that people have."""

    classes = ("dark", "light")

    def __init__(self, form: str = "pil", count: int = 16, side: int = 32) -> None:
        self.form, self.count, self.side = form, count, side

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, int]:
        label = index % 2
        generator = np.random.default_rng(index)
        pixels = generator.integers(
            100 * label, 100 * label + 100, (self.side, self.side), np.uint8
        )
        forms = {
            "pil": lambda: Image.fromarray(pixels),
            "numpy": lambda: pixels,
            "colour": lambda: np.dstack([pixels] * 3),
            "tensor": lambda: torch.from_numpy(pixels)[None],
            "floats": lambda: torch.from_numpy(pixels)[None].float() / 255,
            "normalised": lambda: torch.from_numpy(pixels)[None].float() / 127.5 - 1,
            "text": lambda: "x.png",
            "sixteen": lambda: pixels.astype(np.uint16),
        }
        return forms[self.form](), label


@pytest.mark.parametrize("form", ["pil", "numpy", "tensor", "floats", "colour"])
def test_images_in_any_of_the_usual_forms_are_the_same_pixels(form: str) -> None:
    found = as_images(Pictures(form))
    assert found.images.shape == (16, 3 if form == "colour" else 1, 32, 32)
    assert torch.equal(found.images[:, :1], as_images(Pictures("pil")).images)
    assert (found.labels.tolist(), found.classes) == ([0, 1] * 8, ("dark", "light"))
    assert load(Pictures(form), size=8, channels=3).images.shape == (16, 3, 8, 8)


def test_finetune_takes_it_and_names_its_classes() -> None:
    torch.manual_seed(0)
    model = create_model("lenet5_modern", num_classes=2)
    whole = Pictures(count=32)
    train, val = Subset(whole, range(24)), Subset(whole, range(24, 32))
    history = finetune(model, train, val, QUICK, mean=(0.1,), std=(0.3,))
    assert (history.images_trained, len(history.answers)) == (24, 8)


def test_compare_takes_it() -> None:
    table = compare(["lenet5_modern"], Pictures(), QUICK, 1, random_weights=True)
    assert table.data["classes"] == ["dark", "light"]
    assert table.data["name"] == "Pictures"


@pytest.mark.fault("dataset-item")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Pictures("normalised"), "values from -1 to .*: give images from 0 to 1, or uint8, before"),
        (Pictures("text"), "item 0 of Pictures is of the type str"),
        (Pictures("sixteen"), "item 0 of Pictures is of the type uint16"),
        (Pictures(count=0), "Pictures is empty"),
        (TensorDataset(torch.zeros(2, 1, 4, 4), torch.zeros(2)), "does not name its classes"),
        (DataLoader(Pictures()), "DataLoader is no Dataset with a length and items"),
        (Source(Pictures(), classes=("one",)), "has the label 1, but there are 1 classes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_image_or_no_label_is_named(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        as_images(given)


def test_sizes_that_differ_are_scaled_by_load_alone() -> None:
    mixed = torch.utils.data.ConcatDataset([Pictures(count=2), Pictures(count=2, side=40)])
    given = Source(mixed, classes=("dark", "light"))
    with pytest.raises(ValueError, match=r"item 2 .* 40 × 40 pixels, .*load\(dataset, size=…\)"):
        as_images(given)
    assert load(given, size=16).images.shape == (4, 1, 16, 16)
    with pytest.raises(ValueError, match="a Dataset has no test part"):
        load(given, size=16, part="test")


def test_it_is_split_like_any_other_set() -> None:
    groups = [number // 4 for number in range(16)]
    train, val = split(as_images(Pictures()), seed=0, groups=groups)
    assert (len(train), len(val)) == (12, 4)
