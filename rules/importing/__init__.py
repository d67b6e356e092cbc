"""From a published plan to the draft of a book: reading, outline, duties, commitments, draft, report. Pure but for reading."""
