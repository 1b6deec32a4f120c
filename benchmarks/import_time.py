"""Time of ``import lineage_lab`` beside ``import torch``: medians over fresh interpreters."""

import subprocess
import sys
import time
from statistics import median

RUNS = 7
CASES = {
    "python -c pass": ("-c", "pass"),
    "import lineage_lab": ("-c", "import lineage_lab"),
    "import torch": ("-c", "import torch"),
    "import lineage_lab, create_model": ("-c", "import lineage_lab; lineage_lab.create_model"),
    "lineage-lab --help": ("-m", "lineage_lab", "--help"),
}


def seconds(arguments: tuple[str, ...]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    for arguments in CASES.values():  # once, so that files are cached and bytecode is written
        seconds(arguments)
    laps: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(RUNS):  # interleaved: a slow moment of the machine hits all alike
        for name, arguments in CASES.items():
            laps[name].append(seconds(arguments))
    torch = median(laps["import torch"])
    print(f"{'':34} median of {RUNS}    range           of import torch")
    for name, times in laps.items():
        spread = f"{min(times):.3f} – {max(times):.3f}"
        print(f"{name:34} {median(times):8.3f} s    {spread}  {median(times) / torch:8.2f} ×")


if __name__ == "__main__":
    main()
