from hypothesis import settings

settings.register_profile("unit", deadline=None)  # a machine that is busy is no bug
settings.load_profile("unit")
