"""Cards: what a person reads before reuse, made of what the registry holds."""
