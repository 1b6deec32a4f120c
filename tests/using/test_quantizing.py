"""int8: near the float32 network on images that did not calibrate it, or refused."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from lineage_lab.data.sets import Preprocessing, load
from lineage_lab.registry import create_model
from lineage_lab.using import quantizing
from lineage_lab.using.export import Export, export_onnx
from lineage_lab.using.predictor import Predictor

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained() -> Predictor:
    """EfficientNet-Lite0 with its real weights, at a side that is quick."""
    return Predictor(
        model=create_model("efficientnet_lite0", weights="imagenet").eval(),
        name="efficientnet_lite0",
        classes=tuple(map(str, range(1000))),
        preprocessing=Preprocessing(size=64, mean=(0.5,) * 3, std=(0.5,) * 3),
    )


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return load("elpv", size=64).images[:24].expand(-1, 3, -1, -1)


def test_int8_is_smaller_and_keeps_its_agreement_with_what_it_tells(
    trained: Predictor, images: torch.Tensor, tmp_path: Path
) -> None:
    reports: list[Export] = []
    path = tmp_path / "x.onnx"

    def report(found: Export) -> None:
        assert not path.exists()  # said before the file gets its name
        reports.append(found)

    written = export_onnx(
        trained, path, images=images, precision="int8", least_agreement=0.0, report=report
    )
    assert reports == [written]
    assert written.checked_on == "12 images that it was not calibrated on"
    assert written.size_ratio < 0.32
    model = onnx.load(path)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == 49
    session = onnxruntime.InferenceSession(path)
    kept = session.get_modelmeta().custom_metadata_map
    assert kept["scores"] == "logits"
    assert json.loads(kept["preprocessing"])["interpolation"] == "bilinear"
    ready = trained.prepare(images[1::2]).numpy()
    found = np.concatenate([session.run(None, {"images": i[None]})[0] for i in ready])
    with torch.no_grad():
        wanted = trained.model(torch.from_numpy(ready)).numpy()
    agreement = float((found.argmax(1) == wanted.argmax(1)).mean())
    assert agreement == pytest.approx(written.agreement)
    # Noise of the weights and activations is a small part of what the scores say.
    assert np.sqrt(((found - wanted) ** 2).mean()) < 0.25 * wanted.std()


@pytest.mark.fault("few-agree")
def test_below_the_stated_agreement_nothing_is_written(
    trained: Predictor, images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantizing, "quantized", lambda content, images: content)
    monkeypatch.setattr(quantizing, "compared", lambda *_: (0.5, 0.9))
    with pytest.raises(ValueError, match=r"only 50\.0 % of 12 images .* in int8, less than 90 %"):
        export_onnx(trained, tmp_path / "x.onnx", images=images, precision="int8")
    with pytest.raises(ValueError, match="int8 is compared on real images: give images"):
        export_onnx(trained, tmp_path / "x.onnx", precision="int8")
    with pytest.raises(ValueError, match="precision is one of fp32, fp16, int8, not 'int4'"):
        export_onnx(trained, tmp_path / "x.onnx", precision="int4")
    assert list(tmp_path.iterdir()) == []


def test_rounding_by_moments_changes_the_output_less_than_to_the_nearest() -> None:
    """On correlated inputs, as GPTQ's paper finds; its own objective, computed here."""
    draw = np.random.default_rng(0)
    mixed = draw.normal(size=(16, 16)) @ np.diag(np.linspace(0.1, 3, 16))
    inputs = np.maximum(draw.normal(size=(4000, 16)) @ mixed + 2, 0)
    weights = draw.normal(size=(8, 16))
    moment = inputs.T @ inputs / len(inputs)
    steps = np.abs(weights).max(axis=1, keepdims=True) / 64
    nearest = np.round(weights / steps) * steps
    rounded = quantizing._rounded(weights, moment, 64)

    def error(found: np.ndarray) -> float:
        return float((((found - weights) @ inputs.T) ** 2).mean())

    assert error(rounded) < 0.5 * error(nearest)
    whole = rounded / steps
    assert np.allclose(whole, np.round(whole), atol=1e-6)
    assert np.allclose(np.abs(whole).max(axis=1), 64)  # so that the step is read from it again


def test_what_one_output_is_made_of_is_what_a_convolution_sees() -> None:
    """The weights times the places' inputs are the layer's outputs there."""
    torch.manual_seed(0)
    for conv in (
        nn.Conv2d(3, 4, 3, 2, 1, bias=False),
        nn.Conv2d(6, 6, 3, 1, 1, groups=6, bias=False),
        nn.Conv2d(4, 5, 1, bias=False),
    ):
        image = torch.randn(1, conv.in_channels, 7, 7)
        node = onnx.helper.make_node(
            "Conv", ["x", "w"], ["y"], group=conv.groups, strides=list(conv.stride),
            pads=[conv.padding[0]] * 4,
        )  # fmt: skip
        taken = quantizing._taken(
            node, image.numpy(), tuple(conv.weight.shape), np.random.default_rng(0)
        )
        weight = conv.weight.detach().numpy().reshape(conv.groups, -1, taken.shape[-1])
        found = np.einsum("gpi,goi->gop", taken.reshape(conv.groups, -1, taken.shape[-1]), weight)
        wanted = conv(image).detach().numpy().reshape(found.shape[0] * found.shape[1], -1)
        assert np.allclose(np.sort(found.reshape(wanted.shape)), np.sort(wanted), atol=1e-5)


def test_a_dead_channels_bias_survives(tmp_path: Path) -> None:
    """Its weights are all but 0, so that its bias would overflow the 32 bits of its step."""

    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 2, 1), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(x).relu().mean((2, 3)))

    torch.manual_seed(0)
    model = Dead().eval()
    with torch.no_grad():
        model.conv.weight[1] = 1e-12
        model.conv.bias[1] = 5.0
        model.head.weight.copy_(torch.eye(2))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model, (torch.zeros(1, 3, 8, 8),), dynamo=True, opset_version=18,
            input_names=["images"], output_names=["scores"], verbose=False,
        )  # fmt: skip
    assert program is not None
    file.write(program.model_proto.SerializeToString())
    images = np.random.default_rng(0).normal(size=(8, 3, 8, 8)).astype(np.float32)
    made = quantizing.quantized(file.getvalue(), images)
    session = onnxruntime.InferenceSession(made)
    found = session.run(None, {"images": images[:1]})[0]
    assert found[0, 1] == pytest.approx(5.0 + float(model.head.bias[1].detach()), abs=0.1)


def test_half_precision_halves_the_file(
    trained: Predictor, images: torch.Tensor, tmp_path: Path
) -> None:
    written = export_onnx(trained, tmp_path / "x.onnx", images=images, precision="fp16")
    assert written.size_ratio < 0.55
    assert written.agreement >= 0.9
    (given,) = onnxruntime.InferenceSession(written.path).get_inputs()
    assert given.type == "tensor(float)"  # what goes in stays float32


def from_what_it_tells(file: Path, photo: Path) -> str:
    """The class of a photo by a program that knows nothing but the file: Pillow and NumPy."""
    session = onnxruntime.InferenceSession(file)
    told = session.get_modelmeta().custom_metadata_map
    how = json.loads(told["preprocessing"])
    image = Image.open(photo).convert(how["channel_order"])
    assert how["crop"] == "center square of the shorter side"
    side = min(image.size)
    left, top = ((length - side) / 2 for length in image.size)
    filters = {"bilinear": Image.Resampling.BILINEAR}
    image = image.resize(
        (how["size"], how["size"]), filters[how["interpolation"]],
        box=(left, top, left + side, top + side),
    )  # fmt: skip
    low, high = how["range"]
    pixels = low + (high - low) * np.asarray(image, np.float32) / 255
    pixels = (pixels - how["mean"]) / how["std"]
    assert how["layout"] == "NCHW"
    scores = session.run(None, {"images": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
    assert told["scores"] == "logits"
    return str(json.loads(told["classes"])[scores[0].argmax()])


def test_the_file_tells_all_that_it_takes_to_use_it(trained: Predictor, tmp_path: Path) -> None:
    from tests.using.test_predictor import photographs

    export_onnx(trained, tmp_path / "x.onnx")
    for photo in sorted(photographs().glob("*.png"))[:4]:
        (found,) = trained.predict([photo])
        assert from_what_it_tells(tmp_path / "x.onnx", photo) == found.label


def test_the_published_measurement_is_of_this_scheme() -> None:
    kept = json.loads((ROOT / "docs/results/int8.json").read_text())
    ours = kept["rows"][kept["ours"]]
    assert (kept["levels"], kept["floats"]) == (quantizing.LEVELS, quantizing.FLOATS)
    assert ours["size_ratio"] < 0.32
    theirs = [row for name, row in kept["rows"].items() if name.startswith("ONNX Runtime")]
    assert ours["agreement"] > max(row["agreement"] for row in theirs if row["size_ratio"] < 0.32)
