"""Commands that order jobs, and what they share: documents, checks beforehand, waiting for the end."""
