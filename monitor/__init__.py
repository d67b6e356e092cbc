"""Stage 4: the daemon. May import all stages; nobody imports it."""

import atexit
import gc
import os

gc.set_threshold(100_000)  # what is imported stays: to look through it again and again for cycles is lost time
atexit.register(gc.freeze)  # and all the more so when the process ends
# Read when numpy is loaded. Matrices here are small: threads that wait for each other cost several times what they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
