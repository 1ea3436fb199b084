"""The tests: unit (no server), integration and model (one real server), acceptance and chaos (the whole stack)."""
