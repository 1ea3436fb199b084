"""Tasks: records, payloads, reports, change feed."""
