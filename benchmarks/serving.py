"""What a network's answers survive on the way from training to serving, and what they don't.

EfficientNet-Lite0 with its published weights names random crops of photographs that scikit-image
and scikit-learn ship. It does so rightly, and again with one mistake of those that raise no error:
the share of crops whose first class changes is kept, and what `same_answers` names from the first
crops. Then the same network by other ways (another memory format, batch, number of threads,
exporter) on a few crops: are its scores the same to the bit?

    pip install -e ".[bench,export]"
    python benchmarks/serving.py --json docs/results/serving.json
    python benchmarks/serving.py --part bits --json out.json      # or --part mistakes
"""

import argparse
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lineage_lab.chapters.photos import sample
from lineage_lab.comparing.provenance import provenance
from lineage_lab.data.sets import read_image
from lineage_lab.using.agreement import MISTAKES, _Trial, same_answers
from lineage_lab.using.predictor import Predictor

PHOTOGRAPHS = (
    ("skimage", "astronaut.png"), ("skimage", "chelsea.png"), ("skimage", "coffee.png"),
    ("skimage", "motorcycle_left.png"), ("skimage", "rocket.jpg"), ("skimage", "ihc.png"),
    ("skimage", "hubble_deep_field.jpg"), ("sklearn", "china.jpg"), ("sklearn", "flower.jpg"),
)  # fmt: skip
NETWORK = "efficientnet_lite0"
FEW = 32
Program = Callable[[list[Path]], Tensor]


def crops(folder: Path, number: int, seed: int = 0) -> list[Path]:
    """Random squares of the photographs, written as PNG."""
    lot = np.random.default_rng(seed)
    photographs = [sample(file, package=package).convert("RGB") for package, file in PHOTOGRAPHS]
    paths = []
    for index in range(number):
        photograph = photographs[index % len(photographs)]
        most = min(photograph.size)
        side = int(lot.integers(min(230, most - 1), most))
        left = int(lot.integers(0, photograph.width - side + 1))
        top = int(lot.integers(0, photograph.height - side + 1))
        paths.append(folder / f"{index:03}.png")
        photograph.crop((left, top, left + side, top + side)).save(paths[-1])
    return paths


def mistaken(predictor: Predictor, name: str) -> Program:
    """The network with one mistake, as another program."""
    return lambda paths: _Trial(predictor, paths).scores(frozenset({name}))


def right(predictor: Predictor) -> Program:
    """The network itself."""
    return lambda paths: run(
        predictor, torch.stack([read_image(path, predictor.preprocessing) for path in paths])
    )


def opencv(predictor: Predictor, way: str) -> Program:
    """Read and scaled by OpenCV itself."""
    import cv2

    side = predictor.preprocessing.size

    def program(paths: list[Path]) -> Tensor:
        images = []
        for path in paths:
            bgr = cv2.imread(str(path))
            scaled = cv2.resize(bgr, (side, side), interpolation=getattr(cv2, way))
            images.append(torch.from_numpy(scaled[:, :, ::-1].transpose(2, 0, 1).copy()))
        return run(predictor, torch.stack(images))

    return program


def run(predictor: Predictor, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([predictor.model(predictor.prepare(p)) for p in pixels.split(32)])


def eight_bits(
    predictor: Predictor, folder: Path, calibration: list[Path], **options: Any
) -> Program:
    """An ONNX file in eight bits, run by ONNX Runtime."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from lineage_lab.using.export import export_onnx

    whole, ready = folder / "whole.onnx", folder / "ready.onnx"
    export_onnx(predictor, whole)
    quant_pre_process(str(whole), str(ready))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(calibration)

        def get_next(self) -> Any:
            path = next(self.left, None)
            if path is None:
                return None
            pixels = read_image(path, predictor.preprocessing)[None]
            return {"images": predictor.prepare(pixels).numpy()}

    small = folder / f"{len(options)}.onnx"
    quantize_static(str(ready), str(small), Reader(), **options)
    session = onnxruntime.InferenceSession(str(small), providers=["CPUExecutionProvider"])

    def program(paths: list[Path]) -> Tensor:
        rows = []
        for path in paths:
            pixels = read_image(path, predictor.preprocessing)[None]
            rows.append(session.run(None, {"images": predictor.prepare(pixels).numpy()})[0])
        return torch.from_numpy(np.concatenate(rows))

    return program


def mistakes(folder: Path, number: int, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each mistake: the share of changed answers, and what `same_answers` names.

    What is found already, on as many crops, is not run again.
    """
    predictor = Predictor.pretrained(NETWORK)
    paths = crops(folder, number)
    answers = right(predictor)(paths).argmax(1)
    calibration_folder = folder / "calibration"
    calibration_folder.mkdir()
    calibration = crops(calibration_folder, 48, seed=1)
    programs: dict[str, Callable[[], Program]] = {
        "none": lambda: (
            lambda some: run(
                predictor, torch.stack([read_image(p, predictor.preprocessing) for p in some])
            )
        ),
        "imagenet": lambda: mistaken(predictor, "imagenet"),
        "padding": lambda: mistaken(predictor, "padding"),
        "bgr": lambda: mistaken(predictor, "bgr"),
        "unit": lambda: mistaken(predictor, "unit"),
        "epsilon": lambda: mistaken(predictor, "epsilon"),
        "opencv_linear": lambda: opencv(predictor, "INTER_LINEAR"),
        "antialias": lambda: mistaken(predictor, "antialias"),
        "bicubic": lambda: mistaken(predictor, "bicubic"),
        "int8": lambda: eight_bits(predictor, folder, calibration),
        "int8_per_channel": lambda: eight_bits(
            predictor, folder, calibration, per_channel=True, **unsigned()
        ),
        "int8_reduced": lambda: eight_bits(
            predictor, folder, calibration, per_channel=True, reduce_range=True, **unsigned()
        ),
        "nearest": lambda: mistaken(predictor, "nearest"),
        "opencv_area": lambda: opencv(predictor, "INTER_AREA"),
        "lanczos": lambda: mistaken(predictor, "lanczos"),
        "twice": lambda: mistaken(predictor, "twice"),
        "bytes": lambda: mistaken(predictor, "bytes"),
        "tight": lambda: mistaken(predictor, "tight"),
    }
    for name, build in programs.items():
        if name in found:
            continue
        program = build()
        scores = program(paths)
        changed = int((scores.argmax(1) != answers).sum())
        answer = same_answers(predictor, program, paths[:FEW])
        found[name] = {
            "changed": changed,
            "share": round(changed / number, 4),
            "differ": answer.differ,
            "difference": round(answer.difference, 5),
            "named": [key for key, m in MISTAKES.items() if m in answer.mistakes],
            "remaining": round(answer.remaining, 5),
        }
        print(name, found[name], flush=True)
        yield {"crops": number, "few": FEW, "programs": found}


def unsigned() -> dict[str, Any]:
    from onnxruntime.quantization import QuantType

    return {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}


def bits(folder: Path, number: int, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Other ways to the same scores: the largest difference of one, and whether there is any."""
    predictor = Predictor.pretrained(NETWORK)
    paths = crops(folder, number)
    batch = predictor.prepare(
        torch.stack([read_image(path, predictor.preprocessing) for path in paths])
    )
    model = predictor.model
    torch.set_num_threads(1)
    with torch.inference_mode():
        spread = float(model(batch).std())
    for name, way, plain in ways(model, batch):
        with torch.no_grad():
            try:
                scores = torch.as_tensor(way()).float()
            except Exception as error:
                found[name] = {"fails": f"{type(error).__name__}: {error}".splitlines()[0][:160]}
                continue
            finally:
                torch.set_num_threads(1)
        difference = float((scores - plain).abs().max())
        found[name] = {
            "equal": torch.equal(scores, plain),
            "difference": float(f"{difference:.2g}"),
            "of_spread": float(f"{difference / spread:.2g}"),
            "changed": int((scores.argmax(1) != plain.argmax(1)).sum()),
        }
        print(name, found[name], flush=True)
    yield {"crops": number, "ways": found}


def ways(model: nn.Module, batch: Tensor) -> Iterator[tuple[str, Callable[[], Any], Tensor]]:
    """The same network and the same images by another way; what it is compared with."""
    with torch.inference_mode():
        plain = model(batch)
        alone = torch.cat([model(image) for image in batch.split(1)])

    def one_by_one() -> Tensor:
        return torch.cat([model(image) for image in batch.split(1)])

    def threads(run: Callable[[], Tensor]) -> Tensor:
        torch.set_num_threads(2)
        return run()

    def channels_last() -> Tensor:
        model.to(memory_format=torch.channels_last)
        try:
            return model(batch.to(memory_format=torch.channels_last))
        finally:
            model.to(memory_format=torch.contiguous_format)

    def exported() -> Tensor:
        program = torch.export.export(
            model, (batch[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        return program.module()(batch)

    def onnx(*, dynamo: bool) -> Any:
        import onnxruntime

        file = io.BytesIO()
        if dynamo:
            program = torch.onnx.export(
                model, (batch,), dynamo=True, opset_version=18, input_names=["x"], verbose=False
            )
            content = program.model_proto.SerializeToString()
        else:
            torch.onnx.export(
                model, (batch,), file, dynamo=False, opset_version=18, input_names=["x"]
            )
            content = file.getvalue()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        return session.run(None, {"x": batch.numpy()})[0]

    def lower() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(batch)

    yield "again", lambda: model(batch), plain
    yield "channels_last", channels_last, plain
    yield "one by one", one_by_one, plain
    yield "two threads", lambda: threads(lambda: model(batch)), plain
    yield "two threads, one by one", lambda: threads(one_by_one), alone
    yield "torch.export", exported, plain
    yield "ONNX, dynamo", lambda: onnx(dynamo=True), plain
    yield "ONNX, TorchScript", lambda: onnx(dynamo=False), plain
    yield "torch.compile", lambda: torch.compile(model)(batch), plain
    yield "bf16 autocast", lower, plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=("mistakes", "bits"), help="only one of the two")
    parser.add_argument("--crops", type=int, default=240)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    path = arguments.json
    kept = json.loads(path.read_text()) if path and path.is_file() else {}
    for part, measure, number in (("bits", bits, FEW), ("mistakes", mistakes, arguments.crops)):
        if arguments.part not in (None, part):
            continue
        before = kept.get(part, {})
        programs = before.get("programs", {}) if before.get("crops") == number else {}
        with tempfile.TemporaryDirectory() as folder:
            for found in measure(Path(folder), number, dict(programs)):
                kept[part] = found | {"provenance": provenance()}
                kept["network"] = NETWORK
                if path:
                    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
