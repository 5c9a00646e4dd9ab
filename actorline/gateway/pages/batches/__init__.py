"""Pages about batches: the list, one batch, and changes to it."""
