"""The service itself: health, version, metrics."""
