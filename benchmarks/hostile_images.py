"""Memory and time of each hostile image, in a process of its own.

``python -m benchmarks.hostile_images`` writes ``docs/results/hostile-images.json``, which the
page on troubleshooting shows. Linux only: it reads the peak of memory from ``/proc``.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import PIL
from PIL import Image

from lineage_lab.comparing.provenance import provenance
from tests.faults.hostile import REFUSED, SHOWN, saved

RESULT = Path(__file__).parents[1] / "docs" / "results" / "hostile-images.json"
MEASURE = """
import sys, time, warnings
from pathlib import Path
from lineage_lab.data.decoding import Unreadable, decode
warnings.simplefilter("ignore")
def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
decode(Path(sys.argv[2]), size=224, mode="RGB")
Path("/proc/self/clear_refs").write_text("5")
before, start, cause = resident("VmRSS"), time.perf_counter(), ""
try:
    decode(Path(sys.argv[1]), size=224, mode="RGB")
except Unreadable as error:
    cause = str(error).split("read as an image: ")[1].split(". Replace")[0]
print(resident("VmHWM") - before, time.perf_counter() - start, cause)
"""


def main() -> None:
    shown = {name: (make, words) for name, (make, words) in SHOWN.items()}
    files = shown | {name: (make, "") for name, make in REFUSED.items()}
    images = []
    with tempfile.TemporaryDirectory() as folder:
        first, path = Path(folder, "first.png"), Path(folder, "x.img")
        first.write_bytes(saved(Image.new("RGB", (64, 64), "red"), "png"))
        for name, (make, words) in files.items():
            path.write_bytes(make())
            done = subprocess.run([sys.executable, "-c", MEASURE, str(path), str(first)],
                                  capture_output=True, text=True, check=True)  # fmt: skip
            memory, seconds, *cause = done.stdout.strip().split(" ", 2)
            fares = f"refused: {cause[0]}" if cause else words
            images.append({"name": name, "shown": fares, "mebibytes": round(float(memory), 1),
                           "seconds": round(float(seconds), 4)})  # fmt: skip
            print(f"{name}: {fares}, {memory[:5]} MiB, {seconds[:6]} s")
    here = {**provenance(), "pillow": PIL.__version__}
    RESULT.write_text(json.dumps({"provenance": here, "images": images}, indent=1,
                                 ensure_ascii=False) + "\n", encoding="utf-8")  # fmt: skip


if __name__ == "__main__":
    main()
