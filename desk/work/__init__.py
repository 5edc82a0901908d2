"""Field service: what customers ask to have done, and who goes."""
