"""Budgets: how many dollars jobs may spend in a day and a month. Pure: no Redis, no network."""
