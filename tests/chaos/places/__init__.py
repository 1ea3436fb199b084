"""Where the catalogs of a chaos run lie: one store, or a cluster."""
