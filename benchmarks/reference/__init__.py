"""The published way of searching masks, plainly: what the product's steps are measured against.

Written from the papers and the published results, for the benchmarks alone; tests hold it against the product's recipes
`paper`. Nothing here is clever: masks are float tensors that weights or activations are multiplied with, the kept share
is differentiated through a concatenation of all masks, epochs of the head run the whole network, and N modules take N
passes.
"""
