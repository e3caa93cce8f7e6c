"""How a ModelFoundry server and a ModelFoundry job behave. Knows gRPC, knows no torch."""
