{"pow", NODE_CONSTANT, "constant", true, "stands where the outer where does not look"},
