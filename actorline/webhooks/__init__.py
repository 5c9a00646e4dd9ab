"""What the platform tells us."""
