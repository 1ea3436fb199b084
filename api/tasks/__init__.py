"""The Tasks API: follow, audit, cancel and re-run tasks."""
