"""What the planes say to each other, and two ways to say it. Refuses business rules."""
