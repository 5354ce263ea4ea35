"""The commands of the `wxasset` command line, one module per group."""
