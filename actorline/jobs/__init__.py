"""What is a job? Its document, its states, and what is decided about it. No Redis, no network."""
