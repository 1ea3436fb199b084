"""The rules for queries and entries, declared once with marshmallow."""
