"""Trial and error: methods that read the loss and nothing else."""
