"""The rooms a request crosses, in the order pipeline.py calls them. Rooms are strangers to each other."""
