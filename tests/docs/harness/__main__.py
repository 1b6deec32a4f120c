"""`python -m tests.docs.harness accept PAGE…` and `… verified`."""

import sys

from tests.docs.harness import accept, verified

COMMANDS = {"accept": accept.main, "verified": verified.main}

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        sys.exit(f"usage: python -m tests.docs.harness {'|'.join(COMMANDS)} …")
    sys.exit(COMMANDS[name](sys.argv[2:]))
