"""The bank: a Django application that moves money in many ways, right and wrong, and records what truly happened."""
