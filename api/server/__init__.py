"""gunicorn's worker of the ingress: no client, however slow, costs a thread; uploads have a few of their own."""
