"""Shared parts of all commands: input, output, prompts, errors, signals."""
