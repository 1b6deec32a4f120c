"""What "Classify a photo" answers, against the package: pixels, scores, maps, first answers."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page

from lineage_lab.data.sets import read_image
from lineage_lab.using.predictor import Predictor
from lineage_site.pages.classify_a_photo.drawings import evidence
from tests.site.browser import CHROMIUM, CODED, coded, decoded
from tests.site.photo import FILES, files, give, ready, rows

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

NETWORK, PIXELS = "assets/photo-network.js", "assets/photo-pixels.js"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.pretrained("efficientnet_lite0")


@pytest.fixture(scope="module")
def page(browser: Browser, home: str) -> Iterator[Page]:
    with ready(browser, home) as made:
        yield made


RUN = """async ([module, images]) => {
  const { answer } = await import(module);
  const { coded, decoded } = CODED;
  const { scores, map } = await answer(new Float32Array(decoded(images)));
  const maps = scores.reduce((all, _, label) => { all.push(...map(label)); return all; }, []);
  return [coded(scores), coded(maps)];
}""".replace("CODED", CODED)
SQUARE = """async ([module, text, side]) => {
  const { decoded, square } = await import(module);
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return CODED.coded(square(await decoded(new Blob([bytes]), "x"), side));
}""".replace("CODED", CODED)


def pixels(page: Page, home: str, content: bytes, side: int = 224) -> np.ndarray[Any, Any]:
    """What the page's decoding and scaling make of a file: ``[side, side, 3]``."""
    found = page.evaluate(SQUARE, [home + PIXELS, base64.b64encode(content).decode(), side])
    return decoded(found).astype(np.uint8).reshape(side, side, 3)


def inputs(predictor: Predictor) -> dict[str, torch.Tensor]:
    noise = torch.Generator().manual_seed(8)
    found = {
        word: predictor.prepare(read_image(path, predictor.preprocessing)[None])
        for word, path in FILES.items()
    }
    found["noise"] = torch.randn(1, 3, 224, 224, generator=noise)
    found["large noise"] = 20 * torch.randn(1, 3, 224, 224, generator=noise)
    found["nothing"] = torch.zeros(1, 3, 224, 224)
    return found


def test_scores_and_maps_are_torchs_on_the_same_pixels(
    page: Page, home: str, predictor: Predictor
) -> None:
    model: Any = predictor.model
    for name, images in inputs(predictor).items():
        with torch.no_grad():
            expected = model(images)[0]
            features = model.last(model.stages(model.stem(model.pad(images))))[0]
            expected_maps = torch.einsum("kc,chw->khw", model.head.weight, features)
        told = page.evaluate(RUN, [home + NETWORK, coded(images)])
        scores, maps = (torch.from_numpy(decoded(text).copy()) for text in told)
        assert (scores - expected).abs().max() < 1e-3, name
        assert (maps - expected_maps.flatten()).abs().max() < 1e-3, name
        # The map is exact: its mean and the bias are the score.
        summed = maps.view(1000, 49).mean(dim=1) + model.head.bias
        assert (summed - expected).abs().max() < 1e-3, name


def test_a_png_is_scaled_as_pillow_does_it(
    page: Page, home: str, tmp_path: Path, predictor: Predictor
) -> None:
    """To the same bytes; a tall image to within 1 of 255, since Pillow may scale it down first.

    Pillow rounds between the two directions, and which comes first depends on its version.
    """
    draw = np.random.default_rng(8)
    wide = ((1, 1), (2, 1), (500, 3), (224, 223), (224, 224), (231, 225), (640, 427), (1500, 1001))
    for size in (*wide, (3, 500), (500, 801)):
        image = Image.fromarray(draw.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
        path = tmp_path / "noise.png"
        image.save(path)
        expected = read_image(path, predictor.preprocessing).permute(1, 2, 0).numpy()
        found = pixels(page, home, path.read_bytes())
        assert np.abs(found.astype(int) - expected).max() <= (0 if size in wide else 1), size


def test_the_first_answer_to_a_file_is_the_packages(
    page: Page, tmp_path: Path, predictor: Predictor
) -> None:
    widest = {}
    for name, path in {**files(tmp_path), **FILES}.items():
        (expected,) = predictor.predict([path])
        assert expected.error == ""
        give(page, path)
        found = rows(page)
        assert found[0][0] == expected.label, name
        chances = dict(expected.top)
        widest[name] = max(abs(p - chances.get(label, p)) for label, p in found)
    print({name: round(gap, 4) for name, gap in widest.items()})
    assert max(widest.values()) < 0.03, widest
    # Where the pixels are the same, so is what is shown of them.
    same = ("plain.png", "turned.png", "grey.png", "palette.png", "small.bmp", "cat", "cup")
    assert max(widest[name] for name in same) < 0.001, widest


def test_a_point_and_a_strip_are_answered_as_the_package_does(
    page: Page, tmp_path: Path, predictor: Predictor
) -> None:
    draw = np.random.default_rng(1)
    for width, height in ((1, 1), (20000, 1), (1, 20000)):
        path = tmp_path / f"{width}x{height}.png"
        Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        (expected,) = predictor.predict([path])
        give(page, path)
        found = rows(page)
        assert found[0][0] == expected.label
        assert abs(found[0][1] - expected.probability) < 0.001


LIGHT = """() => {
  const canvas = document.querySelector("#ll-photo canvas");
  return CODED.coded(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
}""".replace("CODED", CODED)


def drawn(page: Page) -> np.ndarray[Any, Any]:
    side = 448
    return decoded(page.evaluate(LIGHT)).reshape(side, side, 4)[..., :3]


def test_each_of_the_five_maps_can_be_laid_over_the_photograph(
    page: Page, predictor: Predictor
) -> None:
    give(page, FILES["cup"])
    maps, scores = evidence(predictor, FILES["cup"])
    choices = page.locator(".ll-photo-top input")
    choices.last.check()
    plain = drawn(page)
    for index, (label, _) in enumerate(rows(page)):
        choices.nth(index).check()
        map_ = maps[predictor.classes.index(label)]
        light = torch.nn.functional.interpolate(
            (map_.clamp_min(0) / map_.max())[None, None], size=(448, 448), mode="bilinear"
        )[0, 0].numpy()
        assert np.abs(drawn(page) - plain * (0.16 + 0.84 * light)[..., None]).max() < 1.01, label
        told = page.locator(".ll-photo-evidence").text_content() or ""
        score = scores[predictor.classes.index(label)].item()
        assert f"from {map_.min():.1f} to {map_.max():.1f}" in told
        assert f"make the score {score:.2f}" in told
        row, column = divmod(int(map_.argmax()), 7)
        assert f"row {row + 1}, column {column + 1} of 7" in told
        page.locator(".ll-photo details").evaluate("element => { element.open = true; }")
        cells = page.locator(".ll-photo-numbers td").all_inner_texts()
        assert [float(cell) for cell in cells] == pytest.approx(
            [float(f"{v:.1f}") for v in map_.flatten().tolist()], abs=0.1001
        )
