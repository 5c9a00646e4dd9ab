"""What the tasks share: the wrapper round a stage, the canvas, what Flower shows."""
