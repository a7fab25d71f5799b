"""Entry of `make env`. Written so that any Python, even 2.7, can read it and say which one is needed."""

import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.stderr.write(
        "make env: %s is Python %d.%d, but 3.10, 3.11 or 3.12 is needed: "  # noqa: UP031
        "name one with `make env PYTHON=python3.11`.\n" % ((sys.executable,) + sys.version_info[:2])
    )
    sys.exit(1)

from environment import main  # noqa: E402

sys.exit(main())
