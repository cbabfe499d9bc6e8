"""What is done to a photo that a localizer should find: regions pasted, moved, removed and retouched."""
