"""The body on a cluster: the bank as a Deployment that is scaled, loads as Jobs, an experiment as a custom resource."""
