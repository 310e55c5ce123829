"""fairtrial: a fair trial for automated research on train.py."""
