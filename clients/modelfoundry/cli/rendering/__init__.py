"""How results look: quantities, tables, JSON, progress and failures."""
