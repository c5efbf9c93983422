"""What an operator may ask: server (door), access, dispatch, verbs (one file each)."""
