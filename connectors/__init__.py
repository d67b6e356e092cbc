"""Stage 1: ask the outside world. Imports nothing of the other stages."""
