"""What each command of `actorline.cli.administration` accepts."""
