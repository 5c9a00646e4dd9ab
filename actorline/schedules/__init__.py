"""Schedules: their due times, what is ordered for each, and what happens while the last job is still running."""
