"""Wire formats, pure: what a body says, how an error looks, one file a dialect. Dialects do not know each other."""
