"""Jobs: their documents, their states, and the decisions about them. No Redis, no network."""
