"""The rotator host: runs each attempt of a rotator in a process of its own, and the client by which workers reach it.

The host forks an attempt from a process that has never imported a rotator nor read a value: what it reads of a
connection is a heading without secrets, and the attempt reads the order itself. So nothing of one account is in the
memory of another one's attempt, and the host never parses what a rotator sends.
"""
