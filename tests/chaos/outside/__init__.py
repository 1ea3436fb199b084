"""Those outside in chaos: who sends by FTPS, who is told by webhooks, who exports, and who is slow."""
