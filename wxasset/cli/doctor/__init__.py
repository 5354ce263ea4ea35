"""`wxasset doctor`: find configuration and network problems, with remedies in English and Chinese.

`inspect_*` functions collect facts, `query_*` functions call WeChat and `judge_*` functions, without I/O, turn facts
into findings. The account is not changed: calls only read, and the stable token is fetched without force_refresh.
"""
