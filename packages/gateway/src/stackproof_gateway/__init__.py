"""The LLM gateway: a local, deterministic, OpenAI-compatible provider. It stands alone."""
