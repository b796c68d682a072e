"""What explanations cost and whether they hold, beside other libraries."""
