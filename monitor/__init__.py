"""Stage 4: the daemon. May import all stages; nobody imports it."""

import os

# Read when numpy is loaded. Matrices here are small: threads that wait for each other cost several times what they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
