"""Stage 4: the daemon. May import all stages; nobody imports it."""
