"""A few weeks of believable work, for a first look at the product."""
