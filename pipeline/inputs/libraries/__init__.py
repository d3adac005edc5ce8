"""The networks that libraries know by name: each module loads those of one library, which it imports when asked."""
