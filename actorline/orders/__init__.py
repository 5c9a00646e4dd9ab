"""Orders: how they are submitted, cancelled and retried."""
