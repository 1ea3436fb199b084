"""Follow a catalog: the change feed, and webhooks."""
