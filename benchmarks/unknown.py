"""For which of timm's networks `describe` does not know a count or a field, and after what.

Each network is made on the meta device and taken apart at its own size. What can't be made or run
there is said with its reason. A run that was stopped goes on from the file.

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
    answer: dict[str, Any] = {}
    if anatomy.not_counted:
        answer["not_counted"] = anatomy.not_counted
    if anatomy.unknown_after:
        answer["unknown_after"] = anatomy.unknown_after
    if anatomy.receptive_field is None and not anatomy.unknown_after:
        answer["no_map"] = True
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = arguments.names or timm.list_models()
    path = arguments.json
    before = json.loads(path.read_text()) if path and path.is_file() else {}
    unknown: dict[str, Any] = before.get("unknown", {})
    here = provenance()
    done: list[str] = before.get("left", {}).get("done", [])
    for name in names:
        if name in done:
            continue
        if answer := asked(name):
            unknown[name] = answer
            print(name, answer, flush=True)
        done.append(name)
        gc.collect()
        if path:
            path.write_text(written(names, done, unknown, here))
    print(f"{len(unknown)} of {len(names)}")


def written(
    names: list[str], done: list[str], unknown: dict[str, Any], here: dict[str, Any]
) -> str:
    """The file's text; while networks are left, with those that are done."""
    left = {"left": {"networks": len(names) - len(done), "done": done}}
    content = {
        "networks": len(done),
        "share": round(len(unknown) / len(done), 4),
        "unknown": unknown,
        "provenance": here,
        **(left if len(done) < len(names) else {}),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
