"""A job's life as people read it, in the terminal and in the pages: sentences, bars, numbers. Pure."""
