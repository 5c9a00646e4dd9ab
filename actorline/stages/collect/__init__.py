"""From rows to `_SUCCESS`."""
