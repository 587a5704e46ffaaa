"""The steps by which the table of this app is made."""
