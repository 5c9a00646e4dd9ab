"""What a process shares with others of its machine: ports, folders, files and their owners, where packages are."""
