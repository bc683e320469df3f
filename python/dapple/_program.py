"""The command ``dapple``: the same code as the program that is built by Cargo."""

from __future__ import annotations

import signal
import sys
from typing import List, Optional

from ._native import run


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 for wrong input, 1 for any other failure."""
    # Python would only note Ctrl-C until the command returns; commands that save their state listen for it themselves.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    return run(["dapple", *(sys.argv[1:] if arguments is None else arguments)])
