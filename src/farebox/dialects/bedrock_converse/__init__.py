"""Converse and ConverseStream of Amazon Bedrock, towards vendors. Refuses signing and the model makers' own bodies."""
