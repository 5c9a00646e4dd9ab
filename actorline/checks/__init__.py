"""What `actorline doctor` and the fleet page say of an installation. Changes nothing."""
