"""Upkeep: what a job needs when no message is on its way."""
