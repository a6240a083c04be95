"""Pictures of any size through an exported generator: sizes that it runs at, placements, tiles."""
