"""Notifications about ended tasks: e-mails and webhooks."""
