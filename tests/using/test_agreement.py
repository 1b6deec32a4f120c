"""`same_answers` names the mistake that was made, and none where there was none.

In the gate on a small network with random weights; at night on EfficientNet-Lite0's own weights
and photographs, with OpenCV and ONNX Runtime as the other program where they are installed.
"""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lineage_lab.chapters.photos import location
from lineage_lab.data.sets import Preprocessing
from lineage_lab.using.agreement import MISTAKES as KNOWN
from lineage_lab.using.agreement import same_answers
from lineage_lab.using.predictor import Predictor
from tests.rows import EVERYTHING, some

ROOT = Path(__file__).parents[2]
SIDE = 64
PHOTOGRAPHS = (("skimage", "astronaut.png"), ("skimage", "coffee.png"), ("sklearn", "china.jpg"))
MEAN, STD = torch.tensor((0.5, 0.4, 0.3)), torch.tensor((0.2, 0.25, 0.3))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.Hardswish(),
            nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.Hardswish(),
            nn.Dropout(0.5),
        )  # fmt: skip
        self.head = nn.Linear(32, 300)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def crops(folder: Path, number: int) -> list[Path]:
    lot = np.random.default_rng(0)
    paths = []
    for index in range(number):
        package, name = PHOTOGRAPHS[index % len(PHOTOGRAPHS)]
        with Image.open(location(name, package=package)) as opened:
            photograph = opened.convert("RGB")
        wide, high = (int(lot.integers(150, 400)) for _ in range(2))
        left = int(lot.integers(0, photograph.width - wide))
        top = int(lot.integers(0, photograph.height - high))
        paths.append(folder / f"{index:02}.png")
        photograph.crop((left, top, left + wide, top + high)).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return crops(tmp_path_factory.mktemp("crops"), 32)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    model = Small()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.002, 0.2)
    preprocessing = Preprocessing(size=SIDE, mean=tuple(MEAN.tolist()), std=tuple(STD.tolist()))
    names = tuple(f"class {number}" for number in range(300))
    return Predictor(model=model.eval(), name="small", classes=names, preprocessing=preprocessing)


class Server:
    """Another program, written without the package: right, but for what an argument spoils."""

    def __init__(self, model: nn.Module, **spoiled: object) -> None:
        self.model, self.spoiled = copy.deepcopy(model), spoiled
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d) and "epsilon" in spoiled:
                module.eps = 1e-3
            if isinstance(module, nn.Conv2d) and "padding" in spoiled:
                k = module.kernel_size[0]
                module.padding = (0, 0)
                total = k - 2  # of a map of even size
                pads = (total // 2, total - total // 2) * 2
                module.register_forward_pre_hook(
                    lambda _, inputs, pads=pads: (nn.functional.pad(inputs[0], pads),)
                )

    def __call__(self, paths: list[Path]) -> object:
        rows = []
        for path in paths:
            image = Image.open(path).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
            if "stretched" in self.spoiled:
                box = None
            way = self.spoiled.get("scaling", Image.Resampling.BILINEAR)
            pixels = np.asarray(image.resize((SIDE, SIDE), way, box), dtype=np.float32) / 255
            if "bgr" in self.spoiled:
                pixels = pixels[:, :, ::-1]
            x = torch.from_numpy(pixels.copy())
            mean, std = self.spoiled.get("normalisation", (MEAN, STD))
            x = (x - torch.as_tensor(mean)) / torch.as_tensor(std)
            with torch.no_grad():
                rows.append(self.model(x.permute(2, 0, 1)[None])[0].numpy())
        scores = np.stack(rows).astype(np.float32)
        return self.spoiled.get("last", lambda scores: scores)(scores)


def softmax(scores: np.ndarray) -> np.ndarray:
    return torch.from_numpy(scores).softmax(1).numpy()


def in_eight_bits(scores: np.ndarray) -> np.ndarray:
    step = (scores.max() - scores.min()) / 255
    noise = np.random.default_rng(0).normal(0, 0.2, scores.shape)
    return (np.round(scores / step + noise * scores.std() / step) * step).astype(np.float32)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
MISTAKES = {
    "ImageNet's mean and std": {"normalisation": IMAGENET},
    "mean and std of 0.5": {"normalisation": ((0.5,) * 3, (0.5,) * 3)},
    "pixels not normalised, from 0 to 1": {"normalisation": ((0.0,) * 3, (1.0,) * 3)},
    "pixels from 0 to 255": {"normalisation": ((0.0,) * 3, (1 / 255,) * 3)},
    "BGR in place of RGB": {"bgr": True},
    "bicubic scaling": {"scaling": Image.Resampling.BICUBIC},
    "Lanczos scaling": {"scaling": Image.Resampling.LANCZOS},
    "scaling to the nearest pixel": {"scaling": Image.Resampling.NEAREST},
    "the image stretched to a square": {"stretched": True},
    "another epsilon in the batch norms": {"epsilon": True},
    "even padding for TensorFlow's, or the reverse": {"padding": True},
    "eight bits": {"last": in_eight_bits},
}


def names(answer) -> list[str]:
    return [mistake.name for mistake in answer.mistakes]


FEW = ("ImageNet's mean and std", "bicubic scaling", "another epsilon in the batch norms",
       "eight bits")  # fmt: skip


@pytest.mark.parametrize("name", some(MISTAKES, FEW))
def test_a_mistake_is_named(name: str, predictor: Predictor, paths: list[Path]) -> None:
    answer = same_answers(predictor, Server(predictor.model, **MISTAKES[name]), paths)
    assert names(answer) == [name]
    assert not answer.same
    assert f"- {name}. " in str(answer)


@pytest.mark.parametrize("last", [lambda scores: scores, softmax, lambda scores: scores.tolist()])
def test_where_there_is_no_mistake_none_is_named(
    last, predictor: Predictor, paths: list[Path]
) -> None:
    answer = same_answers(predictor, Server(predictor.model, last=last), paths)
    assert answer.same
    assert names(answer) == []
    assert answer.differ == 0
    assert str(answer).endswith("as rounding does: no mistake")


def test_three_mistakes_at_once_are_all_named(predictor: Predictor, paths: list[Path]) -> None:
    spoiled = {"bgr": True, "scaling": Image.Resampling.BICUBIC, "normalisation": IMAGENET}
    answer = same_answers(predictor, Server(predictor.model, **spoiled), paths)
    assert sorted(names(answer)) == sorted(
        ["ImageNet's mean and std", "BGR in place of RGB", "bicubic scaling"]
    )


def test_another_network_is_no_known_mistake(predictor: Predictor, paths: list[Path]) -> None:
    torch.manual_seed(1)
    answer = same_answers(predictor, Server(Small().eval()), paths)
    assert names(answer) == []
    assert not answer.same
    assert "None of the known mistakes explains it" in str(answer)


def test_the_network_is_left_as_it_was(predictor: Predictor, paths: list[Path]) -> None:
    before = {name: tensor.clone() for name, tensor in predictor.model.state_dict().items()}
    same_answers(predictor, Server(predictor.model, bgr=True), paths)
    after = predictor.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not predictor.model.training
    assert {m.eps for m in predictor.model.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-5}


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (
            lambda paths: torch.zeros(len(paths), 301),
            "TensorFlow's ImageNet networks have a class 0",
        ),
        (lambda paths: torch.zeros(len(paths)), r"b gives \[32\] for 32 images of 300 classes"),
        (lambda paths: torch.full((len(paths), 300), torch.nan), "no finite numbers"),
    ],
)
def test_what_are_no_scores_is_refused(
    scores, words: str, predictor: Predictor, paths: list[Path]
) -> None:
    with pytest.raises(ValueError, match=words):
        same_answers(predictor, scores, paths)


def test_no_images_and_missing_ones_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no images to compare on"):
        same_answers(predictor, Server(predictor.model), [])
    with pytest.raises(ValueError, match="does not exist"):
        same_answers(predictor, Server(predictor.model), [tmp_path / "none.png"])


@pytest.mark.skipif(not EVERYTHING, reason="a minute a mistake: at night, with LINEAGE_LAB_ALL=1")
@pytest.mark.parametrize("name", ["none", "imagenet", "padding", "bgr", "unit", "epsilon",
                                  "antialias", "bicubic", "int8"])  # fmt: skip
def test_on_published_weights_it_names_what_the_run_made(name: str, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("serving", ROOT / "benchmarks" / "serving.py")
    serving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serving)
    lite = Predictor.pretrained(serving.NETWORK)
    photographs = serving.crops(tmp_path, 32)
    if name == "int8":
        program = serving.eight_bits(lite, tmp_path, photographs[:16])
    else:
        program = serving.right(lite) if name == "none" else serving.mistaken(lite, name)
    answer = same_answers(lite, program, photographs)
    assert names(answer) == ([] if name == "none" else [KNOWN[name].name])
