"""What the requests of one database wait for, above the log and the state."""
