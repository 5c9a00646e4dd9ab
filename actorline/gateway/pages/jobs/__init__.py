"""Pages about jobs: the list, one job, what it delivered, its document, and changes to one or many."""
