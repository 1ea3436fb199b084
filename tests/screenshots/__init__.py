"""Pictures of everything operators look at, taken of a real stack: ``make screenshots``."""
