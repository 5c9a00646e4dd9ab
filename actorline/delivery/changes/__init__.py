"""What changed since an earlier delivery: rows that were added, removed and changed, by a key."""
