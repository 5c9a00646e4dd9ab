"""One paid run."""
