"""``python -m lineage_site [FOLDER]``: draw the pages' figures and tables."""

import sys
from pathlib import Path

from lineage_site.drawing.build import build

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/generated")
    for path in build(folder, force=True):
        print(path)
