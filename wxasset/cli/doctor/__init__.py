"""`wxasset doctor`: what is wrong, and what to do, in English and Chinese.

Edges collect facts (`probe`, `look`, `ask`); everything else judges them, and can do neither I/O nor harm. Nothing is
changed in the account: calls that read are made, with a stable token that is fetched in normal mode and never forced.
"""
