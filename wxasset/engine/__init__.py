"""Make one call: acquire a token, send, decode, retry, reconcile."""
