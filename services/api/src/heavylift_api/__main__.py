"""`python -m heavylift_api`."""

import sys

from heavylift_api.server import main

sys.exit(main())
