"""``python -m wxserve`` is the command line of the server."""

import sys

from wxserve.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
