"""What comes in: bodies are bounded, orders and events are written in groups, and workers are told of them."""
