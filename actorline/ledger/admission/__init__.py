"""What may start now: room on accounts, budgets, pauses, rates, places for calls. Shared by all processes."""
