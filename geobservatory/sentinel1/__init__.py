"""What an image is: SAFE products, annotation, bursts and orbits."""
