"""Lighthouse over every page type, as a phone on a slow line meets it; figures are kept.

`python benchmarks/lighthouse.py [SITE] [RUNS]`: SITE is a built site (else it is built now), served
compressed and with the cache headers of GitHub Pages. Needs a Chromium and npx, which fetches
Lighthouse into npm's cache; says so and stops where one is missing. Performance is the median of
RUNS (3), since a busy machine lowers it; the other three scores do not vary. Writes
docs/results/lighthouse.json.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lineage_lab.comparing.provenance import provenance  # noqa: E402
from tests.site.browser import CHROMIUM, served  # noqa: E402

VERSION = "13.5.0"
RESULT = ROOT / "docs/results/lighthouse.json"
PAGES = {"home": "", "chapter": "chapters/lenet5/", "heaviest chapter": "chapters/efficientnet/",
         "lab": "labs/efficientnet/", "API": "api/anatomy/", "largest API page": "api/finetuning/",
         "network's API": "api/models/vit/", "widget": "try/receptive-fields/",
         "network to try": "try/classify-a-photo/", "progress": "progress/",
         "timeline": "timeline/", "choosing": "choosing/", "exercise": "fine-tune/",
         "references": "references/", "glossary": "glossary/"}  # fmt: skip
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
TIMES = {"first-contentful-paint": "first paint, ms",
         "largest-contentful-paint": "largest paint, ms",
         "total-blocking-time": "blocked, ms", "cumulative-layout-shift": "shift",
         "total-byte-weight": "bytes"}  # fmt: skip


def look(address: str, folder: Path) -> dict[str, Any]:
    """One run of Lighthouse with its own settings: a phone, a slow line, a slow processor."""
    report = folder / "report.json"
    command = ["npx", "--yes", f"lighthouse@{VERSION}", address, "--quiet", "--output=json",
               f"--output-path={report}",
               "--chrome-flags=--headless=new --no-sandbox --disable-gpu"]  # fmt: skip
    environment = {**os.environ, "CHROME_PATH": str(CHROMIUM)}
    subprocess.run(command, check=True, env=environment, cwd=folder, capture_output=True)
    done: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return done


def failed(report: dict[str, Any]) -> list[str]:
    """The audits that cost a score, but those of performance."""
    names = {
        item["id"]
        for category in CATEGORIES[1:]
        for item in report["categories"][category]["auditRefs"]
        if item["weight"] > 0
    }
    audits = report["audits"]
    return sorted(n for n in names if audits[n]["score"] is not None and audits[n]["score"] < 1)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    scores = {
        name: [round(100 * run["categories"][name]["score"]) for run in runs] for name in CATEGORIES
    }
    last = runs[-1]["audits"]
    return {
        "performance": median(scores["performance"]),
        "runs": scores["performance"],
        **{name: min(scores[name]) for name in CATEGORIES[1:]},
        **{told: round(median(r["audits"][name]["numericValue"] for r in runs), 4)
           for name, told in TIMES.items()},
        "requests": len(last["network-requests"]["details"]["items"]),
        "failed": failed(runs[-1]),
    }  # fmt: skip


def main(site: Path | None, runs: int) -> None:
    if CHROMIUM is None or shutil.which("npx") is None:
        print("lighthouse: needs a Chromium and npx; skipped")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if site is None:
            site = folder / "site"
            command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(site)]
            subprocess.run(command, check=True, cwd=ROOT)
        rows, loads = {}, []
        with served(site) as home:
            for name, path in PAGES.items():
                loads.append(round(os.getloadavg()[0], 2))
                rows[name] = {
                    "page": path,
                    **summary([look(home + path, folder) for _ in range(runs)]),
                }
                told = " ".join(f"{rows[name][each]:>6}" for each in CATEGORIES)
                print(f"{name:18}{told}  {rows[name]['failed'] or ''}", flush=True)
    chromium = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True).stdout
    result = {
        "provenance": {**provenance(), "lighthouse": VERSION, "chromium": chromium.strip()},
        "settings": "Lighthouse's own: a phone, 1.6 Mbit/s, 150 ms, the processor 4 times slower",
        "loads": loads,
        "pages": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else None,
        int(sys.argv[2]) if len(sys.argv) > 2 else 3,
    )
