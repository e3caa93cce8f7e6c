"""Protobuf messages to the SDK's values and back. Pairs are named `x_to_proto` and `x_from_proto`."""
