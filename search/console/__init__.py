"""From a command line to an exit code: settings, multirun, progress, Ctrl-C."""
