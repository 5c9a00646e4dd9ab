"""Requests to any server: whose certificates count, how responses begin; where a document names it, which addresses."""
