"""Deliver the outbox: e-mails and webhooks."""
