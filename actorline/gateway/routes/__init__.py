"""One module for each kind of path."""
