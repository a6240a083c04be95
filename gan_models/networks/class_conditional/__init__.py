"""Generators that are told a class: conditional BatchNorm, embeddings of their own or shared."""
