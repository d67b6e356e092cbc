"""Stage 4: the daemon. May import all stages; nobody imports it."""

import gc

gc.set_threshold(100_000)  # what is imported stays: to look through it again and again for cycles is lost time
