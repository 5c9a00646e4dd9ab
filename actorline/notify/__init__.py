"""Notices to services about the ends of jobs."""
