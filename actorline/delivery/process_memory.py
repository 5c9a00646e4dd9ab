"""A bound on the memory of a process of its own that works on rows of any size."""

import resource


def bound_memory(most_bytes: int) -> None:
    """Let this process, and nothing else on the machine, run out of memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
