"""Wrong input is met in the reader's words, and `eval` gives a plain tensor.

Run in a process of its own, without the shape checks that the other tests turn on: a reader
doesn't have them.
"""

import subprocess
import sys

SCRIPT = """
import torch
from lineage_lab import create_model, list_models
from lineage_lab.registry import entry

def said(model, images):
    try:
        model(images)
    except ValueError as error:
        return str(error)
    return "nothing"

with torch.device("meta"):
    for name in list_models():
        if name in SLOW:
            continue
        model = create_model(name, num_classes=3).eval()
        channels, side, _ = entry(name).input_size
        good = torch.empty(2, channels, side, side)
        scores = model(good)
        assert type(scores) is torch.Tensor and scores.shape == (2, 3), name
        assert scores.argmax(1).shape == (2,), name
        assert "images.unsqueeze(0)" in said(model, good[0]), name
        assert "not [2, 2]" in said(model, torch.empty(2, 2)), name
        other = 4 - channels
        wrong = said(model, torch.empty(2, other, side, side))
        assert f"takes [batch, {channels}, height, width], not [2, {other}, {side}" in wrong, name
        assert ("expand(-1, 3, -1, -1)" in wrong) == (channels == 3), name
        bytes_ = said(model, torch.empty(good.shape, dtype=torch.uint8))
        assert "takes normalised floating-point pixels, not torch.uint8" in bytes_, name
        # The smallest side that is promised works, and none below it.
        told = said(model, good[..., :1, :1])
        if told == "nothing":
            continue
        assert f"not [2, {channels}, 1, 1]" in told, name
        least = int(told.split("takes ")[1].split("×")[0])
        bound = "pixels only, not" if least == side else "pixels at least, not"
        assert f"the network takes {least}×{least} {bound}" in told, name
        assert said(model, good[..., :least, :least]) == "nothing", name
        for smaller in {least - 1, least // 2, 2}:
            told = said(model, good[..., :smaller, :smaller])
            assert f"not [2, {channels}, {smaller}, {smaller}]" in told, (name, smaller)
        if "only" not in told:
            for larger in (least + 1, least + 31):
                assert said(model, torch.empty(2, channels, larger, larger)) == "nothing", name
    paper = create_model("googlenet_paper", num_classes=3).train()
    assert "224×224" in said(paper, torch.empty(2, 3, 160, 160))
    outputs = paper(torch.empty(2, 3, 224, 224))
    assert outputs._fields == ("logits", "auxiliary_4d", "auxiliary_4a")
print("done")
"""
SLOW = ("resnet1202_cifar",)


def test_wrong_input_is_named_with_what_came_and_what_is_taken() -> None:
    script = SCRIPT.replace("SLOW", repr(SLOW))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout.strip() == "done", ran.stderr[-2000:]
