"""HTTP for every route: tokens, bodies, path converters, request ids."""
