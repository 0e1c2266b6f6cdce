"""`python -m heavylift_controller`."""

import sys

from heavylift_controller.main import main

sys.exit(main())
