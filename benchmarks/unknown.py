"""For which of timm's networks `describe` does not know a count or a field, and after what.

Each network is made on the meta device and taken apart at its own size. What can't be made or run
there is said with its reason.

    python benchmarks/unknown.py --json docs/results/unknown.json
    python benchmarks/unknown.py resnet50 vit_base_patch16_224
"""

import argparse
import gc
import json
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import timm
import torch

from lineage_lab import describe
from lineage_lab.comparing.provenance import provenance


def asked(name: str) -> dict[str, Any]:
    """What `describe` does not know of a network; empty if it knows all."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name).eval()
        with patch("lineage_lab.anatomy.network._saved_bytes", return_value=None):  # not asked here
            anatomy = describe(model, model.pretrained_cfg["input_size"])
    except Exception as error:
        return {"fails": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    found: dict[str, Any] = {}
    if anatomy.not_counted:
        found["not_counted"] = anatomy.not_counted
    if anatomy.unknown_after:
        found["unknown_after"] = anatomy.unknown_after
    if anatomy.receptive_field is None and not anatomy.unknown_after:
        found["no_map"] = True
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = arguments.names or timm.list_models()
    kept: dict[str, Any] = {"networks": len(names), "unknown": {}}
    for name in names:
        if found := asked(name):
            kept["unknown"][name] = found
            print(name, found, flush=True)
        gc.collect()
    kept["share"] = round(len(kept["unknown"]) / len(names), 4)
    kept["provenance"] = provenance()
    print(f"{len(kept['unknown'])} of {len(names)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
