"""Who may do what: roles, sign-in, tokens, limits, audit trail."""
