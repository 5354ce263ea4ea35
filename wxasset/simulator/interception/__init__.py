"""Interception: the simulator answers for the hosts of WeChat, so that programs with a built-in address need no change.

Programs reach it by a proxy, which accepts CONNECT to hosts of WeChat and refuses every other host, or by a line in
the hosts file. Certificates are issued on request by an authority whose key exists in memory only.
"""
