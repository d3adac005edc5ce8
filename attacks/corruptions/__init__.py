"""Changes without a search: noise, corruptions, geometry."""
