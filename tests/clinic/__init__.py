"""What clinics send, as code that makes it."""
