"""Each protection taken away on purpose, and the test that notices."""
