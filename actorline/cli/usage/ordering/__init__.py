"""What each command of `actorline.cli.ordering` accepts."""
