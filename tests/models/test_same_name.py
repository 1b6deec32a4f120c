"""Where one name means one network in two libraries, and where it means two.

The pairs are those of ``benchmarks/same_name.py``, which makes the table of the page *From training
to serving*. The gate takes two of them; the others run each night.
"""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.rows import EVERYTHING, some

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAME = {  # name of the pair -> whether both are the same network
    "timm’s `resnet50`": True,
    "timm’s `vgg16` at 224 pixels": True,
    "timm’s `vgg16` at 320 pixels": False,
    "timm’s `vgg16` at 448 pixels": False,
    "Hugging Face’s EfficientNet-B0": False,
    "the same with our epsilon and padding": True,
    "torchvision’s `googlenet` with `transform_input`": False,
    "torchvision’s `inception_v3` with `transform_input`": False,
}
GATE = (
    "timm’s `vgg16` at 320 pixels",
    "torchvision’s `googlenet` with `transform_input`",
)


@pytest.fixture(scope="module")
def same_name() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("same_name")


def test_each_pair_of_the_table_is_held(same_name: ModuleType) -> None:
    assert set(SAME) == set(same_name.PAIRS)


@pytest.mark.parametrize("name", some(SAME, GATE))
def test_the_same_weights_are_the_same_network_or_another(
    name: str, same_name: ModuleType, tmp_path: Path
) -> None:
    pair = same_name.PAIRS[name]
    pytest.importorskip(pair.needs)
    spreads = same_name.difference(pair, tmp_path, number=2)["spreads"]
    assert spreads < 1e-3 if SAME[name] else spreads > 0.1, spreads


@pytest.mark.skipif(not EVERYTHING, reason="imports a large library: at night")
def test_epsilon_of_a_vit_counts_for_small_tokens_alone(same_name: ModuleType) -> None:
    pytest.importorskip("transformers")
    assert same_name.epsilon_of_vit(1.0) < 1e-5
    assert same_name.epsilon_of_vit(0.001) > 0.1
