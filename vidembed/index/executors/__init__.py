"""Where the work on many items runs: in this process one by one, or on threads."""
