"""A batch's inputs: as they come with the order or from a source, and as they are kept in the sink."""
