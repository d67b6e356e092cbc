"""Ways to carry a message, one file each."""
