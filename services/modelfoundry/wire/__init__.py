"""Between values and messages: one file a noun, `x_to_proto` and `x_from_proto`. No other room knows both sides."""
