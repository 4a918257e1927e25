"""`python -m farebox.sims`: the same as `farebox sims`. Owns nothing."""

import sys

from farebox.sims.command import main

sys.exit(main())
