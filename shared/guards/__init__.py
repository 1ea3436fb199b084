"""Guards: what a task would change, and the rules that stop it before it does."""
