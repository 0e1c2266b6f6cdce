"""The Celery worker: claim, run in a child process, renew the lease, report; and the built-in job types."""
