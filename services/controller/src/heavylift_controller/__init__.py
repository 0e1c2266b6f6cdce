"""The controller: reaps lost leases, releases due jobs, sweeps what is past its retention, reports what queues hold.

Any number of controllers may run at once. Each change is a script that checks what it changes, so that a second
controller finds nothing left to do.
"""
