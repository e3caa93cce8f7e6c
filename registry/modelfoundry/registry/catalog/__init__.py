"""The catalog: models, data sets, modules, evaluations, and how they came from one another."""
