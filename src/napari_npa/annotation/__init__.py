"""What a person corrects in an image: edit log, active time, recovery files."""
