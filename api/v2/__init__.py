"""Items, variations and item groups of V2: writes as tasks, reads by page."""
