"""Requests made up from the OpenAPI document: every answer has to be one that the document names."""
