"""How things are said and drawn. Pure: no Redis, no request."""
