"""`python -m heavylift_worker`."""

import sys

from heavylift_worker.command import main

sys.exit(main())
