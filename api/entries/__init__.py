"""Parse the body of a write, check its entries, cut it into chunks."""
