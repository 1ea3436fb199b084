"""The rules of guards, without a store."""
