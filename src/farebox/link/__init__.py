"""What the planes say to each other, and the two transports. Refuses business rules."""
