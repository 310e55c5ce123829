"""What the harness costs, and what a trial buys: measurements that anybody can repeat on a machine."""
