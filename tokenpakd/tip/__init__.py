"""TIP-1.0: the names both planes speak. Imports nothing of ours."""
