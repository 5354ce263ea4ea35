"""Routes of the control API below `/_sim/`, a module for each subject; `table` has all of them."""
