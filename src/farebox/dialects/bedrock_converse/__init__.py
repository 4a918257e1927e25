"""Converse and ConverseStream of Amazon Bedrock, both ways. Refuses signing and the model makers' own bodies."""
