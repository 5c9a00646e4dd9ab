"""A dataset's items, in every format."""
