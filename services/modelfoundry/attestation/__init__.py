"""What the registry attests of modules and compositions: in-toto statements in signed envelopes, and their keys."""
