"""``python -m dapple`` is the command ``dapple``."""

import sys

from ._program import main

sys.exit(main())
