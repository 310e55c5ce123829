"""From a file that somebody else wrote to the trials of one night; what is not certain is asked about."""
