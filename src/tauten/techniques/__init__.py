"""The techniques, one file each. Nothing here is imported by name: `tauten.technique.techniques` finds the files."""
