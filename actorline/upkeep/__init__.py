"""What happens to a job when nobody is waiting for it?"""
