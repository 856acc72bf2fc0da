"""What is told of leads on `touchpoints`: kept for their timeline, and the human touches among it logged as activities."""
