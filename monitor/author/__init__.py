"""The rule author's bench: a plan becomes a book, a book is checked, tried, compared and edited as a workbook."""
