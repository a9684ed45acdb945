"""The real provider behind the gateway: asked within a budget, recorded, replayed."""
