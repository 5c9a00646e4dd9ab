"""Connections to Redis: addresses, sentinels, cheap commands, and which server got a write."""
