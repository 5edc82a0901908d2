"""The chat on a business's own pages: the script they embed, who may show it, and what reaches visitors live."""
