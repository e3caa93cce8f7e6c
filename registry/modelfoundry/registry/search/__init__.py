"""Finding modules by what they recognise: an index over labels and texts, vocabularies, and queries with reasons."""
