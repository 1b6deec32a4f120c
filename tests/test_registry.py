"""Names, and what importing the package costs."""

import subprocess
import sys

import pytest
import torch

import lineage_lab
from lineage_lab import create_model, list_models
from lineage_lab.registry import entry


def test_every_name_builds_its_network_with_as_many_classes_as_asked() -> None:
    for name in list_models():
        row = entry(name)
        with torch.device("meta"):
            head = create_model(name, num_classes=3).eval()
        assert row.name == name
        assert sum(p.numel() for p in head.parameters()) > 0


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'resnet5': did you mean resnet50"):
        create_model("resnet5")
    with pytest.raises(ValueError, match="known: lenet5"):
        create_model("?")
    with pytest.raises(ValueError, match="no family 'x'"):
        list_models("x")


def test_unknown_weights_are_met_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"no weights named 'swag': it has 'imagenet'"):
        create_model("resnet50", weights="swag")
    with pytest.raises(ValueError, match="it has none"):
        create_model("lenet5", weights="imagenet")


def test_the_public_names_are_there_and_no_other() -> None:
    for name in lineage_lab.__all__:
        assert getattr(lineage_lab, name) is not None
    assert set(dir(lineage_lab)) == set(lineage_lab.__all__)
    with pytest.raises(AttributeError, match="'lineage_lab' has no attribute 'nothing'"):
        _ = lineage_lab.nothing
    assert callable(lineage_lab.finetune)  # not the module of that name


HEAVY = ("torchvision", "matplotlib", "click", "rich", "mlxtend", "elpv_dataset", "skimage")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import lineage_lab", ("torch", "numpy", *HEAVY)),
        ("import lineage_lab as l; l.describe(l.create_model('lenet5'), (1, 32, 32))", HEAVY),
        ("import lineage_lab as l; l.create_model('efficientnet_lite0'); l.finetune", HEAVY),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str, absent: tuple[str, ...]) -> None:
    report = f"{code}; import sys; print([m for m in {absent!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
