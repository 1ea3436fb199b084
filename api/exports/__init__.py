"""Exports: request one, and fetch its file by a signed URL."""
