"""Commands that call a running ingress over HTTP, from any machine."""
