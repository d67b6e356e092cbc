"""Stage 3: who must hear what, once, and whether it arrived."""
