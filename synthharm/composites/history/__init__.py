"""What happens to a picture after it was composed: resizing, cropping, saving, noise, blur."""
