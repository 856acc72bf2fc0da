"""What records say, in words for people, in English and Japanese: derived when it is shown, never stored. Pure."""
