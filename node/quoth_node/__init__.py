"""What one node does by itself: HTTP, the command line, and the composition of all rooms."""
