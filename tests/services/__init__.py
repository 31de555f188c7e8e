"""Real services as fixtures. `plugin` has them, and the line at the end of a run that names what was left out."""
