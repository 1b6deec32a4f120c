"""The tables of the page on serving: ``benchmarks/serving.py``'s runs and ``same_name.py``'s."""

from typing import Any

from lineage_lab.using.agreement import EQUAL, MISTAKES
from lineage_site.drawing.records import read

__all__ = ["draw"]

# Program of benchmarks/serving.py -> what it does wrong.
WRONG = {
    "imagenet": "ImageNet’s mean and std in place of 0.5",
    "padding": "even padding for TensorFlow’s",
    "int8": "eight bits by ONNX Runtime’s defaults",
    "bgr": "BGR in place of RGB",
    "unit": "pixels from 0 to 1, not normalised",
    "epsilon": "epsilon 1e-5 for 1e-3 in the batch norms",
    "antialias": "bilinear without antialias",
    "opencv_linear": "read and scaled by OpenCV, INTER_LINEAR",
    "int8_per_channel": "eight bits, per channel with unsigned activations",
    "int8_reduced": "the same with seven bits for the weights",
    "bicubic": "Pillow’s bicubic for its bilinear",
    "nearest": "scaled to the nearest pixel",
    "opencv_area": "read and scaled by OpenCV, INTER_AREA",
    "lanczos": "Pillow’s Lanczos for its bilinear",
    "twice": "normalised twice",
    "bytes": "pixels from 0 to 255",
    "tight": "a tighter cut of the image",
    "none": "nothing",
}
WAYS = {
    "again": "the same call again",
    "channels_last": "`channels_last`",
    "one by one": "one image at a time, against a batch of 32",
    "two threads": "two threads against one, in a batch of 32",
    "two threads, one by one": "two threads against one, one image at a time",
    "torch.export": "`torch.export`",
    "ONNX, dynamo": "ONNX by `dynamo=True`, in ONNX Runtime",
    "ONNX, TorchScript": "ONNX by `dynamo=False`, in ONNX Runtime",
    "torch.compile": "`torch.compile`",
    "bf16 autocast": "bf16 by autocast",
}


def draw() -> dict[str, str]:
    """The tables of silent mistakes, of what is equal to the bit, and of one name in two places."""
    serving, names = read("serving"), read("same-name")
    return {
        "mistakes.md": _mistakes(serving["mistakes"]),
        "bits.md": _bits(serving["bits"]),
        "names.md": _names(names),
        "tokens.md": _tokens(names),
    }


def _table(*rows: str, note: str) -> str:
    return "\n".join((*rows, "", note)) + "\n"


def _mistakes(run: dict[str, Any]) -> str:
    rows = ["| what is wrong | answers changed | `same_answers` names |", "| --- | --: | --- |"]
    programs = run["programs"]
    for name in sorted(programs, key=lambda name: -programs[name]["share"]):
        program = programs[name]
        named = ", ".join(MISTAKES[key].name for key in program["named"])
        otherwise = "no mistake" if program["difference"] <= EQUAL else "none that it knows"
        share = 100 * program["share"]
        rows.append(f"| {WRONG[name]} | {share:.1f} % | {named or otherwise} |")
    here = run["provenance"]
    note = (
        f"EfficientNet-Lite0 with its published weights on {run['crops']} random crops of "
        f"photographs that scikit-image and scikit-learn ship; `same_answers` was given the first "
        f"{run['few']} of them. torch {here['torch']}, {here['date']}."
    )
    return _table(*rows, note=note)


def _bits(run: dict[str, Any]) -> str:
    rows = [
        "| the same images by | equal to the bit | largest difference | in spreads | changed |",
        "| --- | --- | --: | --: | --: |",
    ]
    for name, words in WAYS.items():
        way = run["ways"][name]
        if "fails" in way:
            rows.append(f"| {words} | fails | | | |")
            continue
        rows.append(
            f"| {words} | {'yes' if way['equal'] else 'no'} | {way['difference']:.2g} | "
            f"{way['of_spread']:.2g} | {way['changed']} |"
        )
    here = run["provenance"]
    note = (
        f"EfficientNet-Lite0, {run['crops']} crops. If a row does not say otherwise, it is "
        f"compared with plain PyTorch in float32, one batch, one thread. A spread is the standard "
        f"deviation of the scores. {here['processor']}, bf16 instructions: "
        f"{here['bf16_instructions']}; torch {here['torch']}, {here['date']}."
    )
    return _table(*rows, note=note)


def _names(run: dict[str, Any]) -> str:
    rows = ["| the same weights in | largest difference of a score, in spreads |", "| --- | --: |"]
    rows += [f"| {name} | {pair['spreads']:.2g} |" for name, pair in run["pairs"].items()]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    here = run["provenance"]
    note = (
        f"Compared with our network of that name, or with torchvision’s without `transform_input`, "
        f"on {run['images']} crops; the weights are the first ones of a seed. {versions}, torch "
        f"{here['torch']}, {here['date']}."
    )
    return _table(*rows, note=note)


def _tokens(run: dict[str, Any]) -> str:
    rows = ["| size of the tokens | largest difference after a layer norm |", "| --: | --: |"]
    rows += [f"| {size} | {value:.2g} |" for size, value in run["layer_norm"].items()]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return _table(*rows, note=f"Tokens drawn from a normal distribution of this size. {versions}.")
