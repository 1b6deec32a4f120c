"""``python -m lineage_lab``: the same as the command ``lineage-lab``."""

from lineage_lab.cli import main

if __name__ == "__main__":
    main()
