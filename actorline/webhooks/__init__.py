"""Webhooks: events from the platform."""
