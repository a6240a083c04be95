"""Files that take and give pictures as bytes."""
