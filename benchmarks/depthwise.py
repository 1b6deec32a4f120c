"""A training step in bf16 on the CPU: by our kernels beside PyTorch's alone.

The same network on the same images, in turns. What is printed is the ratio of PyTorch's bf16 to
ours: above 1, ours is faster. fp32 stands beside them. Ours is what
`lineage_lab.training.kernels` does:
gradients of depthwise convolutions, and activations in place.

    python benchmarks/depthwise.py
    python benchmarks/depthwise.py timm/mobilenetv2_100 --rounds 16
"""

import argparse
from pathlib import Path

import torch
from finetune import Record
from models import interleaved, ratios, step, told

from lineage_lab import create_model
from lineage_lab.comparing.provenance import provenance
from lineage_lab.training.device import autocast, memory_reused

NETWORKS = ("efficientnet_b0", "efficientnet_lite0", "convnext_tiny", "timm/mobilenetv3_large_100")
CPU = torch.device("cpu")


def measure(name: str, *, batch: int, rounds: int) -> dict[str, dict[str, float]]:
    torch.manual_seed(0)
    model = create_model(name)
    model.train().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (batch,))

    medians, laps = interleaved({
        "ours": lambda: step(model, images, labels, autocast(CPU, "bf16")),
        "all in bf16": lambda: step(model, images, labels,
                                    torch.autocast("cpu", torch.bfloat16)),
        "fp32": lambda: step(model, images, labels),
    }, rounds, CPU)  # fmt: skip
    found = ratios(laps)
    print(f"{name:26} {batch / medians['ours']:6.2f} images/s   {told(found)}", flush=True)
    return {"ours": {"images_per_second": batch / medians["ours"]}, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    record = Record(options.json, {"batch": options.batch, "rounds": options.rounds})
    with memory_reused(CPU):
        for name in options.names:
            if name not in record.runs:
                record.keep(name, measure(name, batch=options.batch, rounds=options.rounds))
    print(", ".join(f"{key}: {value}" for key, value in provenance().items()))


if __name__ == "__main__":
    main()
