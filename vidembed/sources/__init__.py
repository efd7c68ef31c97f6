"""What of a clip is encoded: its frames, its sound, both, its caption, its speech, the text on screen."""
