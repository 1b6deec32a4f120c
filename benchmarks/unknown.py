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


def unknown_of(name: str) -> dict[str, Any]:
    """What `describe` does not know of a network; empty if it knows all."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name).eval()
        with patch("lineage_lab.anatomy.network._saved_bytes", return_value=None):  # takes longest
            anatomy = describe(model, model.pretrained_cfg["input_size"])
    except Exception as error:
        return {"fails": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    unknown: dict[str, Any] = {}
    if anatomy.not_counted:
        unknown["not_counted"] = anatomy.not_counted
    if anatomy.unknown_after:
        unknown["unknown_after"] = anatomy.unknown_after
    if anatomy.receptive_field is None and not anatomy.unknown_after:
        unknown["no_map"] = True
    return unknown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="networks of timm; all if there are none")
    parser.add_argument("--json", type=Path, help="where to keep the list; goes on where it was")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    path, names = arguments.json, arguments.names or timm.list_models()
    empty: dict[str, Any] = {"known": [], "unknown": {}}
    record = json.loads(path.read_text()) if path and path.is_file() else empty
    for number, name in enumerate(names, 1):
        if name in record["known"] or name in record["unknown"]:
            continue
        if unknown := unknown_of(name):
            record["unknown"][name] = unknown
            print(f"{number} of {len(names)}, {name}: {unknown}", flush=True)
        else:
            record["known"].append(name)
        gc.collect()
        record["provenance"] = provenance()
        if path:
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    known, unknown = len(record["known"]), len(record["unknown"])
    print(f"{unknown} of {known + unknown} print unknown, {unknown / (known + unknown):.1%}")


if __name__ == "__main__":
    main()
