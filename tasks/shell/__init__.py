"""What the tasks share: the wrapper around a stage, the canvas, what Flower shows."""
