"""Requests to any server: trusted authorities, bounds on slow responses, and which addresses a document may name."""
