"""The page "Classify a photo": its network as a file, its samples, and what the package answers."""

import json
import zlib
from html import escape
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.chapters.photos import location
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import read_image
from lineage_lab.models.efficientnet import EfficientNet
from lineage_lab.using.predictor import Predictor
from lineage_site.pages.classify_a_photo.network import NAME, network

__all__ = ["SAMPLES", "draw", "evidence"]

ASSETS = Path(__file__).parents[4] / "docs" / "assets"
RUNTIME = ASSETS / "vendor" / "onnxruntime-web"
RUNS = ("ort-wasm-simd-threaded.wasm", "ort.wasm.bundle.min.mjs")
THUMB = 112


class Sample(NamedTuple):
    """A photograph that comes with the page: its package, its file, its name and its licence."""

    package: str
    file: str
    word: str
    licence: str


SAMPLES = (
    Sample("skimage", "chelsea.png", "cat", "Stefan van der Walt, CC0"),
    Sample("skimage", "coffee.png", "cup", "Rachel Michetti, CC0"),
    Sample("skimage", "camera.png", "cameraman", "Lav Varshney, CC0"),
    Sample("skimage", "rocket.jpg", "rocket", "SpaceX, public domain"),
    Sample("sklearn", "china.jpg", "tower", "Daniel Büchele, CC BY 2.0"),
    Sample("skimage", "astronaut.png", "astronaut", "NASA, public domain"),
)
# The picture: a sample, and the classes whose evidence is shown.
SHOWN = ("tower", ("palace", "bell cote", "lakeside"))


def draw() -> dict[str, str | bytes]:
    """What the page includes, and under ``data/`` what its scripts fetch."""
    predictor = Predictor.pretrained("efficientnet_lite0")
    served: dict[str, str | bytes] = {
        NAME: network(predictor),
        "network.json": json.dumps(
            {**predictor.preprocessing.to_dict(), "classes": predictor.classes}, ensure_ascii=False
        ),
        **{s.file: location(s.file, package=s.package).read_bytes() for s in SAMPLES},
    }
    return {
        "page.md": _page(served),
        "size.md": _size(served),
        "answers.md": _answers(predictor),
        "cam.svg": _cam(predictor),
        **{f"data/thumb-{s.word}.jpg": _thumbnail(s) for s in SAMPLES},
        **{f"data/{name}": content for name, content in served.items()},
    }


@torch.no_grad()
def evidence(predictor: Predictor, path: Path) -> tuple[Tensor, Tensor]:
    """The class activation maps of a file, and its scores.

    Args:
        predictor: EfficientNet-Lite0 with its weights.
        path: The photograph.

    Returns:
        ``float [classes, side / 32, side / 32]`` and ``float [classes]``.
    """
    model = predictor.model
    assert isinstance(model, EfficientNet)
    images = predictor.prepare(read_image(path, predictor.preprocessing)[None])
    features = model.last(model.stages(model.stem(model.pad(images))))[0]
    maps = torch.einsum("kc,chw->khw", model.head.weight, features)
    return maps, maps.mean(dim=(1, 2)) + model.head.bias


def _lengths(served: dict[str, str | bytes]) -> dict[str, int]:
    return {k: len(v.encode() if isinstance(v, str) else v) for k, v in served.items()}


def _total(served: dict[str, str | bytes]) -> int:
    return sum(_lengths(served).values()) + sum((RUNTIME / n).stat().st_size for n in RUNS)


def _size(served: dict[str, str | bytes]) -> str:
    """What is loaded, in words."""
    wasm = (RUNTIME / RUNS[0]).read_bytes()
    packed = len(zlib.compress(wasm))
    lengths = _lengths(served)
    samples = sum(lengths[s.file] for s in SAMPLES)
    return (
        f"The network is {lengths[NAME] / 1e6:.1f} MB, the program that runs it "
        f"{len(wasm) / 1e6:.1f} MB ({packed / 1e6:.1f} MB where the server compresses), the "
        f"samples {samples / 1e6:.1f} MB.\n"
    )


def _page(served: dict[str, str | bytes]) -> str:
    """What is touched. The page's script shows it, since it does nothing without."""
    lengths = _lengths(served)
    data = {
        "files": [name for name in lengths if name not in (NAME, "network.json")],
        "bytes": sum(lengths.values()) + (RUNTIME / RUNS[0]).stat().st_size,
    }
    samples = "".join(
        f'<button type="button" data-file="{s.file}">'
        f'<img src="../../generated/photo/data/thumb-{s.word}.jpg" alt="" width="{THUMB}" '
        f'height="{THUMB}"> {s.word}</button>'
        for s in SAMPLES
    )
    kinds = ".png,.jpg,.jpeg,.webp,.gif,.bmp,image/png,image/jpeg,image/webp,image/gif,image/bmp"
    return f"""\
<div class="ll-photo" id="ll-photo">
<p class="ll-photo-load"><button type="button">Load the network \
({_total(served) / 1e6:.1f} MB)</button>
<progress max="1" value="0" aria-label="Loading" hidden></progress></p>
<div class="ll-photo-choose" hidden>
<p class="ll-photo-own"><label class="ll-photo-file">Choose a photograph
<input type="file" name="file" accept="{kinds}"></label>
<label class="ll-photo-file ll-photo-camera">Take one
<input type="file" name="camera" accept="image/jpeg,image/png" capture="environment"></label>
<span>or drop one on the page, or paste one.</span></p>
<fieldset class="ll-photo-samples"><legend>Or take a sample</legend>{samples}</fieldset>
</div>
<output class="ll-photo-status" aria-live="polite"></output>
<div class="ll-photo-result" hidden>
<canvas width="448" height="448" role="img"></canvas>
<fieldset class="ll-photo-top"><legend>The five likeliest of 1,000 classes</legend></fieldset>
<output class="ll-photo-evidence" aria-live="polite"></output>
<details><summary>The map as numbers</summary><div class="ll-photo-numbers"></div></details>
</div>
<script type="application/json">{json.dumps(data)}</script>
</div>
"""


def _thumbnail(sample: Sample) -> bytes:
    with Image.open(location(sample.file, package=sample.package)) as opened:
        image = opened.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    file = BytesIO()
    image.resize(
        (2 * THUMB, 2 * THUMB), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side)
    ).save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()


def _answers(predictor: Predictor) -> str:
    """The package's answers to the samples: with scripts off they are the page's."""
    found = predictor.predict(location(s.file, package=s.package) for s in SAMPLES)
    rows = []
    for sample, answer in zip(SAMPLES, found, strict=True):
        image = (
            f'<img src="../../generated/photo/data/thumb-{sample.word}.jpg" '
            f'alt="Sample photograph: {sample.word}"'
        )
        top = "<br>".join(f"{escape(label)} {100 * p:.1f} %" for label, p in answer.top)
        rows.append(
            f'<tr><td>{image} width="{THUMB}" height="{THUMB}" loading="lazy"></td>'
            f"<td>{sample.word}<br><small>{escape(sample.licence)}</small></td><td>{top}</td></tr>"
        )
    head = "<th>Sample</th><th>What it shows</th><th>Top-5 of the package</th>"
    body = "\n".join(rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n"


def _cam(predictor: Predictor) -> str:
    """A sample, and the same lit where each of some classes has its evidence."""
    word, labels = SHOWN
    sample = next(s for s in SAMPLES if s.word == word)
    path = location(sample.file, package=sample.package)
    maps, scores = evidence(predictor, path)
    chances = scores.softmax(dim=0)
    shown = read_image(path, predictor.preprocessing).float()
    indices = [predictor.classes.index(label) for label in labels]
    side, gap = 166.0, 12.0
    d = Drawing(
        "photo-cam",
        width=(len(labels) + 1) * (side + gap) - gap + 2,
        height=side + 50,
        title="One photograph, three maps",
        description=f"The {word}, and three times the same photograph, dark but for the places "
        "that speak for a class: "
        + ", ".join(
            f"{label} with {100 * chances[i]:.0f} percent"
            for label, i in zip(labels, indices, strict=True)
        )
        + ".",
    )
    lights: list[Tensor] = [torch.ones_like(shown[0])]
    for index in indices:
        light = maps[index].clamp_min(0) / maps[index].max()
        size = shown.shape[1:]
        lights.append(F.interpolate(light[None, None], size=size, mode="bilinear")[0, 0])
    words = ("the photograph", *labels)
    for place, (light, name) in enumerate(zip(lights, words, strict=True)):
        x = 1 + place * (side + gap)
        lit = (shown * (0.16 + 0.84 * light)).byte().permute(1, 2, 0).numpy()
        d.photo(x, 1, side, Image.fromarray(lit))
        d.text(x + side / 2, side + 21, name, anchor="middle", weight=650 if place else 400)
        if place:
            d.text(
                x + side / 2,
                side + 39,
                f"{100 * chances[indices[place - 1]]:.0f} %",
                anchor="middle",
                size=12,
                fill="muted",
            )
    return d.svg()
