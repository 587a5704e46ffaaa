"""quoth in other people's frameworks, a room each. Nothing outside of this one knows of it."""
