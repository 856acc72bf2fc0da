"""The four services. They share contracts and plumbing, and never import each other."""
