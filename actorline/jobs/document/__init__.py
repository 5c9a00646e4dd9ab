"""What may an order say? The job document, its sections, and what their parts need of each other. Pure: no I/O."""
