"""The inbox: what people see of conversations, and everything they do in them."""
