"""Who may call: passwords, tokens, keys and what each role may do."""
