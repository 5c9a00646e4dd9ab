"""A local Apify API v2 to try and to test against: a process of its own, spoken to over HTTP only.

`python -m actorline.emulator` starts it. Nothing else of the product imports it, and it imports nothing else of the
product, so that it can contradict us. What it returns follows the platform's OpenAPI document and
`docs/platform-facts.md`; where a module adds an inference of its own it says so.
"""
