"""`data check` beside ImageHash in two processes, on the same small files.

``python -m benchmarks.check`` makes files, looks at them by turns with both, and writes
``docs/results/data-check.json``: images a second, their ratio in each round, and the peak of
memory of all of our processes together. ImageHash is part of the extra ``bench``; ``--python``
names an interpreter that has it. Linux only: memory is read from ``/proc``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from lineage_lab.comparing.provenance import provenance

RESULT = Path(__file__).parents[1] / "docs" / "results" / "data-check.json"
SIDE, CLASSES = 64, 10
THEIRS = """
import sys
from multiprocessing import Pool
from pathlib import Path
import imagehash
from PIL import Image

def phash(path):
    with Image.open(path) as image:
        return imagehash.phash(image)

if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).rglob("*.*"))
    with Pool(2) as pool:
        print(len(pool.map(phash, files, chunksize=250)))
"""


def make(root: Path, count: int) -> None:
    """Small pictures, half JPEG and half PNG, smooth as photographs are."""
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
        image = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        folder = root / f"class{number % CLASSES}"
        folder.mkdir(exist_ok=True)
        ending = "jpg" if number // CLASSES % 2 else "png"
        image.save(folder / f"{number:06}.{ending}", quality=85, compress_level=1)


def memory(process: int) -> int:
    """Bytes of a process and its children, what they share counted once."""
    total = 0
    children = [process]
    while children:
        one = children.pop()
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            for task in Path(f"/proc/{one}/task").iterdir():
                children += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return total * 1024


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds, and the peak of memory."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    said = process.communicate()[0]
    seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{command} failed: {said}")
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="that has ImageHash")
    parser.add_argument("--out", type=Path, default=RESULT)
    said = parser.parse_args()
    find = "from importlib.metadata import version; print(version('imagehash'))"
    done = subprocess.run([said.python, "-c", find], capture_output=True, text=True, check=True)
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "set")
        root.mkdir()
        make(root, said.images)
        script = Path(folder, "theirs.py")
        script.write_text(THEIRS, encoding="utf-8")
        for _ in range(said.rounds):
            mine, peak = timed([sys.executable, "-m", "lineage_lab", "data", "check", str(root)])
            theirs, _ = timed([said.python, str(script), str(root)])
            rounds.append({"seconds": round(mine, 2), "imagehash_seconds": round(theirs, 2),
                           "ratio": round(theirs / mine, 3),
                           "mebibytes": round(peak / 2**20, 1)})  # fmt: skip
            print(rounds[-1], flush=True)
    here = {**provenance(), "pillow": PIL.__version__, "numpy": version("numpy"),
            "imagehash": done.stdout.strip()}  # fmt: skip
    content = {"provenance": here, "images": said.images, "side": SIDE, "rounds": rounds}
    said.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
