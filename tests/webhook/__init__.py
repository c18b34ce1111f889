"""The tests of the webhook: in the process, and against a real server over real sockets."""
