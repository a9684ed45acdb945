"""Several models behind one MCP server, with a memory that they share."""
