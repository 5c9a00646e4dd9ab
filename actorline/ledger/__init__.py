"""Where is a job kept? The ledger in Redis, and what else all processes share there."""
