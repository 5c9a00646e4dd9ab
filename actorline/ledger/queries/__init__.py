"""Questions about many jobs at once: lists, counts, histories. They change nothing but the index that lists need."""
