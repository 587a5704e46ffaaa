"""Static indexes at work: their definitions as JavaScript, run with limits."""
