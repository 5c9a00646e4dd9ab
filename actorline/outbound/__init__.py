"""Requests to servers that a document names: whose certificates count, which addresses, how long they may take."""
