"""Messages that a reader seldom meets: each is met here once."""

import pytest
import torch
from torch import nn

from lineage_lab import create_model, describe
from lineage_lab.data.sets import Preprocessing
from lineage_lab.training.checks import check_group
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe
from lineage_site.chapters.resnet import runs as resnet_runs
from lineage_site.pages.house import drawings as house


class OnlyInUse(nn.Module):
    """Can be counted, and can't be trained."""

    def forward(self, x):
        if self.training:
            raise RuntimeError("not in training")
        return x.flatten(1)


def test_a_network_that_cannot_be_trained_has_no_training_memory() -> None:
    anatomy = describe(OnlyInUse(), (3, 8, 8))
    with pytest.raises(ValueError, match="OnlyInUse can't be trained on images of"):
        anatomy.training_memory(4)


def test_preprocessing_of_another_kind() -> None:
    with pytest.raises(ValueError, match="preprocessing: expected channels, mean, size, std"):
        Preprocessing.from_dict({"size": 3})


def test_what_several_processes_cannot_share() -> None:
    two = Group(rank=0, size=2)
    check_group(Recipe(), two, images=64)
    with pytest.raises(ValueError, match="a budget of minutes can't be shared by 2 processes"):
        check_group(Recipe(minutes=1.0), two, images=64)
    with pytest.raises(ValueError, match="each needs two images at a time"):
        check_group(Recipe(batch_size=4, accumulate=2), two, images=64)


def test_the_papers_auxiliary_classifiers_have_one_size() -> None:
    model = create_model("googlenet_paper", num_classes=2)
    with pytest.raises(ValueError, match="take a map of 14×14: train with images of 224×224"):
        model.auxiliary_4a(torch.zeros(1, 512, 10, 10))


def test_a_block_that_changes_its_map_cannot_be_left_out() -> None:
    model = create_model("resnet20_cifar")
    with pytest.raises(ValueError, match="block 3 changes the shape of its map"):
        resnet_runs.without_block(model, 3)


def test_the_picture_of_the_house_keeps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that goes up is an error."""
    backwards = dict(reversed(house.ROOMS.items()))
    monkeypatch.setattr(house, "ROOMS", backwards)
    with pytest.raises(ValueError, match="which is no room before its own"):
        house._imports()


def test_an_encoder_of_timm_without_a_head() -> None:
    timm = pytest.importorskip("timm")
    from lineage_lab.heads import find_head

    with pytest.raises(ValueError, match=r"With a head: timm\.create_model"):
        find_head(timm.create_model("resnet18", num_classes=0))
