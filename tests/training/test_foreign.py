"""Networks that are not ours: they train, rest where frozen, and can be used afterwards."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from lineage_lab import create_model, finetune
from lineage_lab.data.sets import ImageSet
from lineage_lab.heads import scores
from lineage_lab.training import checkpoint
from lineage_lab.training.optim import frozen, parts
from lineage_lab.training.recipe import Recipe
from lineage_lab.using.predictor import Predictor
from tests.weights.test_builders import NETS

QUICK = Recipe(device="cpu", precision="fp32", memory_format="contiguous", compile="off",
               batch_size=8, lr=1e-3, head_lr=1e-3, flips="none")  # fmt: skip


def images(count: int, side: int = 32) -> ImageSet:
    numbers = torch.Generator().manual_seed(count)
    return ImageSet(
        images=torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=numbers),
        labels=torch.arange(count) % 3, classes=("a", "b", "c"), name="noise", licence="none",
    )  # fmt: skip


TRAIN, VAL = images(24), images(9)


@pytest.fixture
def nets(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path_factory.mktemp("nets")
    (folder / "strangers_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(folder)
    import strangers_nets

    yield strangers_nets
    del sys.modules["strangers_nets"]


def in_a_new_process(file: Path, allow: list[str], folder: str) -> torch.Tensor:
    """The scores of two images of noise, by a process that knows only the file."""
    code = f"""
import sys, torch
sys.path.insert(0, {folder!r})
from pathlib import Path
from lineage_lab.heads import scores
from lineage_lab.using.predictor import Predictor
made = Predictor.load(Path({str(file)!r}), allow={allow!r})
torch.manual_seed(0)
with torch.no_grad():
    torch.save(scores(made.model(torch.randn(2, 3, 32, 32))), {str(file) + ".pt"!r})
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True)
    found: torch.Tensor = torch.load(f"{file}.pt", weights_only=True)
    return found


@pytest.mark.filterwarnings("ignore")
def test_any_network_can_be_used_in_a_new_process(nets, tmp_path: Path) -> None:
    folder = str(Path(nets.__file__).parent)
    wrapped = nn.Sequential(nets.Scale(2.0), nn.DataParallel(nets.Net(8, classes=3)))
    finetune(wrapped, TRAIN, VAL, QUICK, folder=tmp_path)
    torch.manual_seed(0)
    noise = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted = scores(wrapped.eval()(noise))
    for name in ("best.ckpt", "best.safetensors"):
        with pytest.raises(ValueError, match="--allow strangers_nets"):
            Predictor.load(tmp_path / name)
        found = in_a_new_process(tmp_path / name, ["strangers_nets"], folder)
        assert torch.equal(found, wanted)


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_transformers_and_one_of_torchvision_need_nothing_allowed(
    tmp_path: Path,
) -> None:
    import torchvision
    import transformers

    config = transformers.ResNetConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], embedding_size=8, num_labels=3
    )
    for number, model in enumerate((
        transformers.ResNetForImageClassification(config),
        nn.DataParallel(torchvision.models.shufflenet_v2_x0_5(num_classes=3)),
    )):  # fmt: skip
        folder = tmp_path / str(number)
        finetune(model, TRAIN, VAL, QUICK, folder=folder)
        noise = torch.randn(2, 3, 32, 32)
        made = Predictor.load(folder / "best.ckpt")
        with torch.no_grad():
            assert torch.equal(scores(made.model(noise)), scores(model.eval()(noise)))


def test_who_cannot_be_rebuilt_is_told_before_the_training(
    nets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[bool] = []
    model = nn.Sequential(nn.Flatten(), nets.Secretive(3 * 32 * 32))
    model[1].fc = nn.Linear(3 * 32 * 32, 3)

    def on_step(step: int, steps: int, loss: float) -> None:
        told.append("can't be told from it" in caplog.text)

    finetune(model, TRAIN, VAL, QUICK, folder=tmp_path, on_step=on_step)
    assert told[0]
    made = Predictor.load(tmp_path / "best.ckpt", model=model)  # built by the reader
    assert made.classes == ("a", "b", "c")


def test_frozen_layers_stay_frozen_to_the_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model("resnet20_cifar", num_classes=3)
    for piece in (model.stem, model.stages[0]):
        piece.requires_grad_(False)
    begins = ("stem.", "stages.0.")
    resting = {k: t.clone() for k, t in model.state_dict().items() if k.startswith(begins)}
    moving = model.head.weight.clone()
    recipe = replace(QUICK, norms="train", weight_decay=0.1)
    finetune(model, TRAIN, VAL, recipe)
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in resting.items())
    assert not torch.equal(model.head.weight, moving)
    assert not any(p.requires_grad for p in model.stem.parameters())
    assert all(p.requires_grad for p in model.head.parameters())


@pytest.mark.fault("nothing-learns")
def test_where_nothing_learns_it_is_said() -> None:
    model = create_model("resnet20_cifar", num_classes=3).requires_grad_(False)
    with pytest.raises(ValueError, match=r"nothing of the network learns.*requires_grad_\(True\)"):
        frozen(model)


def test_best_safetensors_tells_all_that_it_takes_to_use_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model("resnet20_cifar", num_classes=3)
    finetune(model, TRAIN, VAL, QUICK, folder=tmp_path, mean=(0.4,) * 3, std=(0.2,) * 3)
    with safe_open(tmp_path / "best.safetensors", "pt") as file:
        told = file.metadata()
        stem = file.get_tensor("stem.0.weight")
    assert told["model"] == "resnet20_cifar"
    assert told["scores"] == "logits"
    assert json.loads(told["classes"]) == ["a", "b", "c"]
    how = json.loads(told["preprocessing"])
    assert {k: how[k] for k in ("size", "mean", "std", "interpolation", "antialias", "range",
                                "channel_order", "layout")} == {
        "size": 32, "mean": [0.4] * 3, "std": [0.2] * 3, "interpolation": "bilinear",
        "antialias": True, "range": [0.0, 1.0], "channel_order": "RGB", "layout": "NCHW",
    }  # fmt: skip
    assert how["crop"] == "center square of the shorter side"
    assert json.loads(told["recipe"])["lr"] == QUICK.lr
    assert torch.equal(stem, checkpoint.load(tmp_path / "best.ckpt").state["stem.0.weight"])
    for name in ("best.ckpt", "best.safetensors"):
        again = create_model("resnet20_cifar", weights=tmp_path / name)
        assert torch.equal(again.stem[0].weight, stem)
        assert again.head.out_features == 3


def test_a_run_goes_on_with_other_workers_and_more_epochs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL, QUICK, folder=tmp_path,
             name="resnet20_cifar")  # fmt: skip
    more = replace(QUICK, epochs=2, workers=1)
    torch.manual_seed(0)
    done = finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL, more,
                    folder=tmp_path, resume=True, name="resnet20_cifar")  # fmt: skip
    assert "goes on with epochs=2 in place of 1" in caplog.text
    assert "goes on with workers=1 in place of 0" in caplog.text
    assert len(done.epochs) == 2


@pytest.mark.parametrize("changes", [{"lr": 0.5}, {"batch_size": 4}])
def test_what_differs_is_said_and_how_to_start_anew(changes, tmp_path: Path) -> None:
    torch.manual_seed(0)
    finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL, QUICK, folder=tmp_path)
    (name,) = changes
    with pytest.raises(ValueError, match=rf"{name} .* there, .* here.*start anew from its weights"):
        finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL,
                 replace(QUICK, **changes), folder=tmp_path, resume=True)  # fmt: skip


def test_a_run_of_cuda_goes_on_on_a_processor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL, QUICK, folder=tmp_path)
    found = checkpoint.load(tmp_path / "last.ckpt")
    training = dict(found.training or {})
    training["random"] = [*training["random"], torch.zeros(16, dtype=torch.uint8)]  # as CUDA's
    training["form"] = ["fp16", "channels_last", True]
    checkpoint.save(
        tmp_path / "last.ckpt",
        replace(found, training=training, recipe={**found.recipe, "device": "cuda"}),
    )
    done = finetune(create_model("resnet20_cifar", num_classes=3), TRAIN, VAL,
                    replace(QUICK, epochs=2), folder=tmp_path, resume=True)  # fmt: skip
    assert "was begun on cuda and goes on on cpu, in the form that suits it" in caplog.text
    assert (done.precision, len(done.epochs)) == ("fp32", 2)


@pytest.mark.filterwarnings("ignore")
def test_the_parts_of_a_network_of_transformers_are_its_stages() -> None:
    """A body in one piece would give all of it the rate of its last layer."""
    import transformers

    config = transformers.ConvNextConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16])
    model = transformers.ConvNextForImageClassification(config)
    assert len(parts(model, model.classifier)) >= 5
    assert len(parts(nn.Sequential(nn.Identity(), model), model.classifier)) >= 5
