"""Is the run still running?"""
