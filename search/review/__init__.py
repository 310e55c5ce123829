"""How much of somebody else's night is luck: a log of trials, read and judged without training anything."""
