"""What we tell others."""
