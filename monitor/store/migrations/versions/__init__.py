"""One file per migration. What was released is never changed: the next change is the next file."""
