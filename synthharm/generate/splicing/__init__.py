"""Splicing datasets: what each sample is made of, making it, and the dataset as a whole."""
