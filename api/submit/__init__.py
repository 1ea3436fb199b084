"""Submit a checked batch to its partition."""
