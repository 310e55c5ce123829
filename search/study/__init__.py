"""What a study is: trials, strategies, program texts, budget, journal, seeds. No process, no screen, no MLflow."""
