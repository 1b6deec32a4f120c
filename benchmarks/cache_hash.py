"""What it costs to compare the hash of cached pixels when a process opens them first.

ELPV at 224 pixels, decoded before. A warm start is a new process that imports the package, opens
the set and splits it, as every command that trains does. It is timed with the comparison and
without, in turns. Printed is the share of the warm start that the comparison takes.

    python benchmarks/cache_hash.py [--rounds 5]
"""

import argparse
import subprocess
import sys
import time
from statistics import median

START = """
from lineage_lab.data import cache, load, split
if {without}:
    cache._is_sound = lambda *_: True
split(load("elpv", size=224), seed=0)
"""


def seconds(*, without: bool) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", START.format(without=without)], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    seconds(without=False)  # decodes, if nobody has yet
    pairs = [(seconds(without=False), seconds(without=True)) for _ in range(rounds)]
    shares = sorted(1 - without / whole for whole, without in pairs)
    print(
        f"the hash of ELPV's pixels takes {median(shares):.1%} of a warm start "
        f"(from {shares[0]:.1%} to {shares[-1]:.1%}, {rounds} pairs; a start takes "
        f"{median(whole for whole, _ in pairs):.1f} s)"
    )


if __name__ == "__main__":
    main()
