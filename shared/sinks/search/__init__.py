"""Search engines as destinations: documents over HTTP, and a ledger that says how far they are."""
