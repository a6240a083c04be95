"""Generators that receive a class: conditional BatchNorm, embeddings of their own or shared."""
