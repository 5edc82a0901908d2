"""The live inbox: people see messages, colleagues and changes as they happen, over Socket.IO."""
