"""The emulated end-points, one module a resource of the platform; `control` is the emulator's own."""
