"""Questions about many jobs at once: lists, counts, histories. They change no job.

What workers and gateways note about themselves for these questions is written beside the question that reads it.
"""
