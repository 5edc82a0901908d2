"""What is kept: tables, migrations and the one door through which everything is read and written."""
