"""`duban rehearse`: what a book would have told whom, had it been in force in earlier years."""
