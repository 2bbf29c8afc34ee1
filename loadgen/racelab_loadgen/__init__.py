"""The load generator: releases HTTP/2 requests at the same moment and records what became of each."""
