"""What each command accepts, and its help. Its work is in the module of the same folder and name in `actorline.cli`.

Help and Tab import only this, which takes a tenth of the time: the work is imported when a command is called.
"""
