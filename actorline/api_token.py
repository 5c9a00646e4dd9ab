"""Which text can be a token of the platform's API."""


def is_token(text: str) -> bool:
    """Return whether a header can carry the text: otherwise the HTTP layer would refuse it with the token in words."""
    return bool(text) and all("!" <= char <= "~" for char in text)
