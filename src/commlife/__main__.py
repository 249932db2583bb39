"""``python -m commlife`` is the command line."""

import sys

from commlife.report.shell import main

if __name__ == "__main__":
    sys.exit(main())
