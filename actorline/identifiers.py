"""The keys and ids that are passed around side by side: all are text, and one in another's place is a type error.

What a person or a service hands over is plain text, and gets its type where it comes in.
"""

from typing import NewType

JobKey = NewType("JobKey", str)
RunId = NewType("RunId", str)
DatasetId = NewType("DatasetId", str)
AccountName = NewType("AccountName", str)  # the alias of a token in the settings
TaskId = NewType("TaskId", str)  # of a caller's Celery task
ExecutionToken = NewType("ExecutionToken", str)  # of one running of a task: no two have the same
