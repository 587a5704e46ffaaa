"""The commands of `manage.py` that this app adds."""
