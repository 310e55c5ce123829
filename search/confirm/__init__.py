"""Retrains the stock and the winners on seeds that no study has used, and scores them on text that no study has seen."""
