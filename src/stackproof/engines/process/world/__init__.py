"""The private world of a stack: what each service sees, by Linux namespaces."""
