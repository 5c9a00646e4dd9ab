"""How a worker takes messages from the broker, holds them, and gives them back: what we change of kombu and Celery."""
