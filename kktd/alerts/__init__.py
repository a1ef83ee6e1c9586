"""What somebody should hear of: one table, one watch, two ways out."""
