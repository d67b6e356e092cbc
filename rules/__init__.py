"""Stage 2: what was promised, what should be true by now, is it."""
