"""GradSplitter's recipe `distilled`: kernels by a schedule of density, with the base as teacher of all modules."""
