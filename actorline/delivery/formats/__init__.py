"""What the rows look like: one table of formats, and how each is read, stored and assembled."""
