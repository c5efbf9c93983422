"""The traffic path: doors (accept, websocket, upstream, peer), pipeline, and the rooms in stages/."""
