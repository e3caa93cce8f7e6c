"""The nouns: what every room speaks of, as frozen values without torch, protobuf or gRPC."""
