"""Sinks in chaos: their destinations, what happens to them, and what readers saw meanwhile."""
