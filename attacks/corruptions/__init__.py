"""Changes that search nothing: noise, corruptions, geometry."""
