"""Schedules: which due times a schedule has, what is ordered for each, and what is done while the last job goes on."""
