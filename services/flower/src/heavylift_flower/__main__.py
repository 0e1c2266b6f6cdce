"""`python -m heavylift_flower`."""

import sys

from heavylift_flower.main import main

sys.exit(main())
