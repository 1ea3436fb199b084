"""The OpenAPI document, generated from the schemas, and the page that shows it."""
