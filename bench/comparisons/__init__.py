"""What the product found beside what the world planted: frames in, comparisons out."""
