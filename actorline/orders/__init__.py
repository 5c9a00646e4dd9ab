"""How does an order come in, and how is its course changed?"""
