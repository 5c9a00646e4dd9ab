"""The Apify platform over HTTP.

`client.Platform` is the client; the functions of the other modules take one and return what the platform describes.
All of them raise only the classes of `errors` for what happens on the wire.
"""
