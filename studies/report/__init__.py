"""HTML report and picture grids of a study."""
