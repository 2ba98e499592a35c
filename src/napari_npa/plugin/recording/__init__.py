"""What a user does is recorded, kept on disk and offered again."""
