"""What follows once field sales has accepted: the deal of an opportunity, its stages, and how it is won or lost."""
