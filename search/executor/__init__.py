"""Where trials run: makes the runner that a study is given."""
