"""What the user is given in the end: a table, and the same as JSON."""
