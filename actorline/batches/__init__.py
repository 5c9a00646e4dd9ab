"""Batches: many inputs as one order, whose members are ordinary jobs."""
